# The compiler's orders, each with its reason.
#
#   ashlar_flags          warnings and language, for every target of ours
#   ashlar_library_flags  how the allocator itself is compiled
#   ashlar_sanitizer      the sanitizer with its run-time library, for tests
#   ashlar_trap           the undefined-behaviour sanitizer without one, for what is preloaded

add_library(ashlar_flags INTERFACE)
target_compile_options(ashlar_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-std=gnu17$<SEMICOLON>-Wstrict-prototypes$<SEMICOLON>-Wmissing-prototypes>
  $<$<COMPILE_LANGUAGE:CXX>:-std=gnu++17$<SEMICOLON>-fsized-deallocation>
  -Wall -Wextra -Wconversion -Wvla -Wundef
  $<$<BOOL:${ASHLAR_WERROR}>:-Werror>)

add_library(ashlar_library_flags INTERFACE)
target_compile_definitions(ashlar_library_flags INTERFACE _GNU_SOURCE)
target_compile_options(ashlar_library_flags INTERFACE
  -Wshadow                          # not for tests, whose macros nest
  -U_FORTIFY_SOURCE                 # the checked copies of libc are not among what we import
  -fPIC                             # one object serves the shared library and position-independent programs
  -fvisibility=hidden               # only what exports.map names leaves the library
  -fno-semantic-interposition       # our own calls among ourselves are direct
  -fno-plt                          # calls to libc are bound before the first instruction of the program runs
  -ftls-model=initial-exec          # the thread's heap is one load away and never needs an allocation
  -fexceptions                      # operator new throws through our frames
  -fasynchronous-unwind-tables      # profilers unwind from any instruction of ours
  -fno-stack-protector              # the first call may come before the thread's canary is set
  # The compiler must not turn our own functions into calls of themselves (malloc + memset is calloc).
  -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
  -fno-builtin-aligned_alloc -fno-builtin-memalign -fno-builtin-posix_memalign)

add_library(ashlar_sanitizer INTERFACE)
add_library(ashlar_trap INTERFACE)
if(ASHLAR_SANITIZE)
  set(sanitizer_options -fsanitize=${ASHLAR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(ashlar_sanitizer INTERFACE ${sanitizer_options})
  target_link_options(ashlar_sanitizer INTERFACE ${sanitizer_options})
endif()
if(ASHLAR_SANITIZE STREQUAL "undefined")
  target_compile_options(ashlar_trap INTERFACE -fsanitize=undefined -fsanitize-undefined-trap-on-error)
endif()
