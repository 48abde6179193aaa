#pragma once
// What the programs of the house answer to the shell.

namespace twinmq {

enum ExitCode : int {
  kExitSuccess = 0,
  kExitFailure = 1,  ///< at run time
  kExitUsage = 2,    ///< a wrong option or configuration
};

}  // namespace twinmq
