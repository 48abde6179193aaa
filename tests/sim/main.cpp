// sim: runs the simulated world from seeds, until one fails.
//   sim [--seeds COUNT] [--from SEED] [--shards N] [--operations N] [--shadows] [--trace]
//   sim --seed-file FILE            the seeds that ever failed, one line "SEED [SHARDS]" each
//   sim --planted NAME              succeeds if a planted fault is noticed; --planted list names
//   them

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "sim/plants.hpp"
#include "sim/world.hpp"

namespace {

using twinmq::sim::RunOptions;
using twinmq::sim::RunResult;
using twinmq::sim::World;

struct Arguments {
  RunOptions run;
  std::uint64_t seeds = 1;
  std::uint64_t from = 1;
  std::string seed_file;
  bool keep_going = false;
};

int usage() {
  std::fputs(
      "usage: sim [--seeds COUNT] [--from SEED] [--shards N] [--operations N] [--shadows] "
      "[--trace] "
      "[--keep-going]\n"
      "           [--seed-file FILE] [--planted NAME]\n",
      stderr);
  return 2;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace") {
      arguments.run.trace = true;
      continue;
    }
    if (name == "--shadows") {
      arguments.run.shadows = true;
      continue;
    }
    if (name == "--keep-going") {
      arguments.keep_going = true;
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    const std::uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--seeds")
      arguments.seeds = number;
    else if (name == "--from")
      arguments.from = number;
    else if (name == "--shards")
      arguments.run.shards = static_cast<unsigned>(number);
    else if (name == "--operations")
      arguments.run.operations = number;
    else if (name == "--seed-file")
      arguments.seed_file = value;
    else if (name == "--planted")
      arguments.run.planted = value;
    else
      return false;
  }
  return true;
}

RunResult run(const RunOptions& options) {
  return World(options).run();
}

void report(const RunOptions& options, const RunResult& result) {
  std::printf("FAILED seed %llu on %u shards: %s\n", static_cast<unsigned long long>(options.seed),
              result.shards, result.complaint->c_str());
  std::string replay = "sim --from " + std::to_string(options.seed);
  if (options.shards != 0) replay += " --shards " + std::to_string(options.shards);
  if (options.operations != RunOptions().operations)
    replay += " --operations " + std::to_string(options.operations);
  if (options.shadows) replay += " --shadows";
  if (!options.planted.empty()) replay += " --planted " + options.planted;
  std::printf("replay: %s --trace\n", replay.c_str());
}

std::vector<RunOptions> runs_of(const Arguments& arguments) {
  std::vector<RunOptions> runs;
  RunOptions options = arguments.run;
  if (arguments.seed_file.empty()) {
    for (options.seed = arguments.from; options.seed < arguments.from + arguments.seeds;
         ++options.seed)
      runs.push_back(options);
    return runs;
  }
  std::ifstream file(arguments.seed_file);
  if (!file) {
    std::fprintf(stderr, "sim: cannot read %s\n", arguments.seed_file.c_str());
    std::exit(2);
  }
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    options.shards = 0;
    if (!(words >> options.seed)) continue;
    words >> options.shards;
    runs.push_back(options);
  }
  return runs;
}

// A fault must be noticed by the checker that is there for it, within as many seeds as the ordinary
// test runs. Others may notice its consequences first.
int run_planted(Arguments arguments) {
  if (arguments.run.planted == "list") {
    for (const twinmq::sim::Plant& plant : twinmq::sim::plants()) std::puts(plant.name.c_str());
    return 0;
  }
  std::string checker;
  for (const twinmq::sim::Plant& plant : twinmq::sim::plants())
    if (plant.name == arguments.run.planted) {
      checker = plant.checker;
      arguments.run.shadows = plant.shadows;
    }
  if (checker.empty()) return usage();
  const bool replay = arguments.run.trace;
  if (!replay) arguments.seeds = std::max<std::uint64_t>(arguments.seeds, 100);
  for (const RunOptions& options : runs_of(arguments)) {
    const RunResult result = run(options);
    if (!result.complaint || result.complaint->rfind(checker + ':', 0) != 0) continue;
    std::printf("noticed %s with seed %llu: %s\n", options.planted.c_str(),
                static_cast<unsigned long long>(options.seed), result.complaint->c_str());
    return 0;
  }
  std::printf("NOT NOTICED by %s: %s, in %llu seeds\n", checker.c_str(),
              arguments.run.planted.c_str(), static_cast<unsigned long long>(arguments.seeds));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return usage();
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (!arguments.run.planted.empty()) return run_planted(arguments);

  const auto began = std::chrono::steady_clock::now();
  std::uint64_t operations = 0, deliveries = 0, restarts = 0, failed = 0, seeds = 0;
  for (const RunOptions& options : runs_of(arguments)) {
    const RunResult result = run(options);
    ++seeds;
    operations += result.operations;
    deliveries += result.deliveries;
    restarts += result.restarts;
    if (!result.complaint) continue;
    ++failed;
    report(options, result);
    if (!arguments.keep_going) break;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf(
      "%llu seeds, %llu failed, %llu operations, %llu deliveries, %llu restarts, %.1f seeds/s\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(failed),
      static_cast<unsigned long long>(operations), static_cast<unsigned long long>(deliveries),
      static_cast<unsigned long long>(restarts), static_cast<double>(seeds) / seconds);
  return failed == 0 ? 0 : 1;
}
