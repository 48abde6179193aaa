// Compares the statements of the specifications with the names of the cases, and prints the
// statements without a case. Fails when one that binds a server has neither a case nor a reason.
//
//   clause_table clauses.txt tests/conformance

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

struct Clause {
  char side = 'S';
  std::string statement;
};

using Name = std::pair<std::string, std::string>;  // version, identifier

std::map<Name, Clause> read_clauses(const char* path) {
  std::map<Name, Clause> clauses;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string version, id;
    Clause clause;
    words >> version >> id >> clause.side >> std::ws;
    std::getline(words, clause.statement);
    clauses[{version, id}] = clause;
  }
  return clauses;
}

/// The identifiers in the names of the cases; the folder tells the version.
std::set<Name> read_cases(const std::filesystem::path& root) {
  std::set<Name> cases;
  const std::regex name("TEST_CASE\\(\\s*\"((?:\\[MQTT-[^\\]]+\\] ?)+)");
  const std::regex id("\\[MQTT-([^\\]]+)\\]");
  for (const auto& [folder, version] : {std::pair{"v5", "5.0"}, std::pair{"v311", "3.1.1"}}) {
    for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
      std::ifstream in(entry.path());
      std::string text{std::istreambuf_iterator<char>(in), {}};
      // A long name is written as several literals.
      text = std::regex_replace(text, std::regex("\"\\s*\n\\s*\""), "");
      for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at) {
        const std::string ids = (*at)[1];
        for (std::sregex_iterator one(ids.begin(), ids.end(), id); one != end; ++one) {
          cases.insert({version, (*one)[1]});
        }
      }
    }
  }
  return cases;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: clause_table CLAUSES FOLDER\n";
    return 2;
  }
  const auto clauses = read_clauses(argv[1]);
  const auto cases = read_cases(argv[2]);
  int missing = 0;
  int shown = 0;
  for (const auto& [name, clause] : clauses) {
    if (cases.count(name)) {
      ++shown;
      continue;
    }
    const bool reason = clause.statement.find(" -- ") != std::string::npos;
    const bool fails = clause.side == 'S' || (clause.side == 'X' && !reason);
    missing += fails;
    std::cout << (fails                ? "MISSING "
                  : clause.side == 'C' ? "client  "
                                       : "excused ")
              << name.first << " MQTT-" << name.second << "  " << clause.statement << "\n";
  }
  for (const auto& name : cases) {
    if (clauses.count(name)) continue;
    ++missing;
    std::cout << "UNKNOWN " << name.first << " MQTT-" << name.second
              << "  a case names it, the table does not\n";
  }
  std::cout << shown << " of " << clauses.size() << " statements have a case; " << missing
            << " are missing\n";
  return missing == 0 && !clauses.empty() ? 0 : 1;
}
