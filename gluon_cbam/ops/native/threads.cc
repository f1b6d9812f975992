#include "threads.h"

#include <omp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace cbam {
namespace {

std::vector<int> usable_cpus() {
  cpu_set_t mask;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

bool is_placed_by_user() { return std::getenv("OMP_PROC_BIND") || std::getenv("GOMP_CPU_AFFINITY"); }

// What the first thread of a process starts inherits its CPUs.
bool is_first_thread() { return syscall(SYS_gettid) == getpid(); }

void bind_team() {
  const std::vector<int> cpus = usable_cpus();
  const int count = static_cast<int>(cpus.size());
  if (count < 2 || omp_get_max_threads() != count || is_placed_by_user() || is_first_thread()) return;
#pragma omp parallel num_threads(count)
  {
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(cpus[omp_get_thread_num()], &own);
    sched_setaffinity(0, sizeof(own), &own);
  }
}

}  // namespace

void bind_team_once() {
  static thread_local bool done = false;
  if (done) return;
  done = true;
  bind_team();
}

}  // namespace cbam
