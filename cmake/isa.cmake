# The only place with -m flags. Everything outside kernels/cpu/<isa>/ is built for the distribution baseline.
set(TANDEM_ISA_AVX2 -mavx2 -mfma -mf16c -mbmi2)
set(TANDEM_ISA_AVX512 ${TANDEM_ISA_AVX2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni)
set(TANDEM_ISA_AMX ${TANDEM_ISA_AVX512} -mamx-tile -mamx-int8)
set(TANDEM_ISA_NEON -march=armv8.2-a+dotprod)
# GCC 12's own AVX-512 header reads the undefined vectors it makes (GCC bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND TANDEM_ISA_AVX512 -Wno-uninitialized -Wno-maybe-uninitialized)
  list(APPEND TANDEM_ISA_AMX -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
