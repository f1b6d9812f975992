// Definitions of three symbols that the headers of new compilers take from newer libraries than mxnet 1.9.1 needs. With
// these, hidden in this library, a library that was compiled on a new system is loaded on glibc 2.27 and libstdc++ 7.
// They are defined under their mangled names, since the headers declare them visible.

#include <new>
#include <sstream>

#define HIDDEN __attribute__((visibility("hidden")))

extern "C" {

// glibc 2.32: whether shared_ptr may count without atomic operations. Never, as on an older glibc.
HIDDEN char __libc_single_threaded = 0;

// GLIBCXX_3.4.29: std::__throw_bad_array_new_length()
[[noreturn]] HIDDEN void _ZSt28__throw_bad_array_new_lengthv() { throw std::bad_array_new_length(); }

// GLIBCXX_3.4.26: std::ostringstream(), here by the older constructor with a mode
HIDDEN void _ZNSt19basic_ostringstreamIcSt11char_traitsIcESaIcEEC1Ev(void* self) {
  new (self) std::ostringstream(std::ios_base::out);
}

}  // extern "C"
