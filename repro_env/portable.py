"""What the profile `portable` sets: rendered by `scripts/knobs` from `repro_env/knobs.py`.

A module of its own: the start-up hook needs it under that profile alone.
"""

# Each variable and its value, where `{threads}` stands for `REPRO_THREADS`.
VALUES = (
    ("TF_ENABLE_ONEDNN_OPTS", "0"),
    ("OMP_NUM_THREADS", "{threads}"),
    ("OMP_DYNAMIC", "FALSE"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("OPENBLAS_CORETYPE", "Haswell"),
    (
        "NPY_DISABLE_CPU_FEATURES",
        "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4",
    ),
    ("MKL_NUM_THREADS", "{threads}"),
    ("MKL_DYNAMIC", "FALSE"),
    ("MKL_CBWR", "COMPATIBLE"),
    ("MKL_VML_DEBUG_CPU_TYPE", "1"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
    ("TF_NUM_INTRAOP_THREADS", "{threads}"),
    ("TF_NUM_INTEROP_THREADS", "{threads}"),
)
