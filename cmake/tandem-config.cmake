# find_package(tandem) gives the target tandem::tandem. The library's own dependencies are linked into it or are
# shared libraries that it names itself.
include(${CMAKE_CURRENT_LIST_DIR}/tandem-targets.cmake)
