# Warnings are on in every build; only development and CI make them errors.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(TANDEM_WERROR)
  add_compile_options(-Werror)
endif()
# Contraction would make results depend on the compiler; kernels ask for fused multiply-add by name.
add_compile_options(-ffp-contract=off)
if(TANDEM_DCHECK)
  add_compile_definitions(TANDEM_DCHECK_ENABLED=1)
endif()
