# The only place with -m flags. Everything outside kernels/cpu/<isa>/ is built for the distribution baseline.
set(TANDEM_ISA_AVX2 -mavx2 -mfma -mf16c -mbmi2)
set(TANDEM_ISA_AVX512 ${TANDEM_ISA_AVX2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni)
set(TANDEM_ISA_AMX ${TANDEM_ISA_AVX512} -mamx-tile -mamx-int8)
