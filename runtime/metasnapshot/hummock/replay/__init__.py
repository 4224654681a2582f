"""Version deltas: what each does to a Hummock version, by the rules of each release.

facts: src/storage/hummock_sdk/src/compaction_group/hummock_version_ext.rs and mod.rs, version.rs,
table_watermark.rs, change_log.rs, vector_index.rs, at v1.10.0 to v3.0.3.
"""
