"""Work on many objects, spread over the threads of this machine or over the machines of a Dask
cluster.
"""
