"""SST objects: files of sorted keys and their values, as RisingWave's Hummock writes them."""
