# Language level, warnings, sanitizers, linker and compiler cache for every target of the house.
include(GNUInstallDirs)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT BUILD_SHARED_LIBS)
  set(CMAKE_CXX_VISIBILITY_PRESET hidden)
endif()
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  find_program(CCACHE ccache)
  if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  endif()
  find_program(LLD ld.lld)
  if(LLD)
    # lld does not know GCC's link-time optimisation and would silently go without.
    add_link_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:INTERPROCEDURAL_OPTIMIZATION>>>:-fuse-ld=lld>)
  endif()
endif()

# Objects that carry machine code too: any linker can use the installed archive, and the tests link fast.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  set(CMAKE_CXX_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
endif()

add_library(twinmq_warnings INTERFACE)
target_compile_options(twinmq_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
  # GCC 12 complains about members that a designated initialiser leaves at their default.
  -Wno-missing-field-initializers
  # And about text that std::string would never copy (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${TWINMQ_WERROR}>:-Werror>)

if(TWINMQ_SANITIZE)
  list(JOIN TWINMQ_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
  if("undefined" IN_LIST TWINMQ_SANITIZE)
    # The check of virtual tables opens a pipe to look at memory: it reports nonsense where descriptors run out,
    # which some tests bring about.
    add_compile_options(-fno-sanitize-recover=undefined -fno-sanitize=vptr)
  endif()
  # Sanitized code confuses the first of these warnings, says GCC's manual. The second is about fences in Asio, which
  # the thread sanitizer does not follow.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
if(TWINMQ_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
