// The administrator's command line.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <twinmq/version.hpp>

#include "admin_commands.hpp"
#include "exit_code.hpp"
#include "modules/access/base64.hpp"
#include "modules/access/password_hash.hpp"
#include "modules/access/scram.hpp"
#include "modules/access/scram_file.hpp"
#include "modules/access/token_file.hpp"
#include "password_file_entry.hpp"
#include "password_prompt.hpp"
#include "rule_commands.hpp"

namespace {

using namespace twinmq;

constexpr std::size_t kDecoyBytes = 32;

struct PasswdOptions {
  bool remove = false;
  bool scram = false;
  bool batch = false;
  std::string file;
  std::string user;
  std::optional<std::string> password;
};

struct TokenOptions {
  std::int64_t days = 0;
  std::string file;
  std::string user;
};

int passwd(const PasswdOptions& options);
int token(const TokenOptions& options);

int run(int argc, char** argv) {
  CLI::App app("twinmq, the tools around twinmqd.", "twinmq");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("twinmq {}", kVersion),
                       "print the version and exit");
  app.set_help_flag("-h,--help", "print this and exit");

  PasswdOptions options;
  CLI::App* command =
      app.add_subcommand("passwd", "add, change or remove a user in a password file");
  command->footer(
      "Without -b the password is asked for on the terminal, or read from the first line of "
      "standard input.\n"
      "The file has Mosquitto's format (PBKDF2 with SHA-512) and is replaced in one step; tell a "
      "running\n"
      "twinmqd with: kill -HUP <its process id>\n"
      "Exit code 0: done, 1: failed, 2: wrong usage.");
  command->add_flag("-D", options.remove, "remove the user");
  command->add_flag("--scram", options.scram,
                    "write keys for SCRAM-SHA-256 and SCRAM-SHA-512, for access.scram_file");
  command->add_flag(
      "-b", options.batch,
      "the password stands behind the user, as with mosquitto_passwd (others may see it in the "
      "list of processes)");
  command->add_option("file", options.file, "the password file; created if it is not there")
      ->type_name("FILE")
      ->required();
  command->add_option("user", options.user, "the user's name")->type_name("USER")->required();
  command->add_option("password", options.password, "with -b: the password")->type_name("PASSWORD");
  TokenOptions token_options;
  CLI::App* token_command = app.add_subcommand("token", "make a token and print it");
  token_command->footer(
      "The token is printed once; the file keeps its hash. Clients send it as their password. To "
      "take a token\n"
      "back, delete its line.\n"
      "Exit code 0: done, 1: failed, 2: wrong usage.");
  token_command->add_option("--days", token_options.days, "days it lasts; without: for ever")
      ->type_name("DAYS")
      ->check(CLI::Range(1, 36'500));
  token_command
      ->add_option("file", token_options.file, "the token file; created if it is not there")
      ->type_name("FILE")
      ->required();
  token_command->add_option("user", token_options.user, "whom the token stands for")
      ->type_name("USER")
      ->required();
  const auto admin = add_admin_commands(app);
  const auto rules = add_rule_commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& outcome) {
    return app.exit(outcome) == 0 ? kExitSuccess : kExitUsage;
  }
  if (int code = 0; run_admin_command(*admin, code) || run_rule_command(*rules, code)) return code;
  return token_command->parsed() ? token(token_options) : passwd(options);
}

int refuse(const Error& error) {
  fmt::print(stderr, "twinmq: {}\n", error.detail);
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailure;
}

int passwd(const PasswdOptions& options) {
  if (auto named = check_user_name(options.user); !named) return refuse(named.error());
  if (options.remove && (options.batch || options.password))
    return refuse({ErrorCode::InvalidArgument, "-D removes a user and takes no password"});
  if (options.batch != options.password.has_value())
    return refuse({ErrorCode::InvalidArgument, "with -b: FILE USER PASSWORD; without: FILE USER"});
  std::optional<std::string> hash;
  if (!options.remove) {
    auto password = options.password ? Result<std::string>(*options.password) : ask_password();
    if (!password) return refuse(password.error());
    if (password->empty()) return refuse({ErrorCode::InvalidArgument, "the password is empty"});
    hash = options.scram ? access::scram_entries(*password) : access::hash_password(*password);
    if (hash->empty()) return refuse({ErrorCode::Internal, "the system gave no random bytes"});
  }
  // The comment from which users that do not exist get salts that never change.
  const std::string first_line =
      options.scram ? fmt::format("{}{}", access::kDecoyPrefix,
                                  access::encode_base64(access::random_bytes(kDecoyBytes)))
                    : std::string();
  if (auto updated = update_password_file(options.file, options.user, hash, first_line); !updated)
    return refuse(updated.error());
  return kExitSuccess;
}

int token(const TokenOptions& options) {
  if (auto named = check_user_name(options.user); !named) return refuse(named.error());
  const std::string made = access::make_token();
  if (made.empty()) return refuse({ErrorCode::Internal, "the system gave no random bytes"});
  const auto now = std::chrono::system_clock::now() + std::chrono::hours(24 * options.days);
  const std::int64_t end =
      options.days == 0
          ? 0
          : std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string line = fmt::format("{}:{}", options.user, access::token_entry(made, end));
  if (auto added = add_line(options.file, line); !added) return refuse(added.error());
  fmt::print("{}\n", made);
  return kExitSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}
