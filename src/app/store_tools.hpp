#pragma once
// A store looked at and restored while no broker uses it.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/store.hpp>

namespace twinmq::app {

struct StoreReport {
  struct Sum {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
  };
  std::map<std::string, Sum> kinds;
  std::vector<std::string> faults;  ///< records that do not verify, one sentence each
  std::vector<StoreFigure> figures;
};

/// Reads the store under config.data_dir without changing it. With `each`, every record is told as
/// a line of JSON. With `verify`, every table's checksums are checked first.
Result<StoreReport> inspect_store(const Config& config, bool verify,
                                  const std::function<void(const std::string& line)>& each);

/// Makes config.data_dir, which must hold no data, of a backup. The copy is verified before it
/// counts.
Result<void> restore_backup(const Config& config, const std::string& backup);

}  // namespace twinmq::app
