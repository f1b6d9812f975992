// The OpenMP threads of the operators.
#pragma once

namespace cbam {

// Binds each thread of the calling thread's team to a CPU of its own, where there are as many threads as the process
// may use CPUs: after a rest, the kernel may otherwise wake two of them on one CPU, where one waits in a loop for the
// other. Nothing is done where the user has placed the threads (OMP_PROC_BIND), nor in the first thread of a process.
// Further calls of a thread do nothing.
void bind_team_once();

}  // namespace cbam
