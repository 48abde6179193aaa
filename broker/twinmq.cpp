// The administrator's command line.

#include <cstdio>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <twinmq/version.hpp>

#include "exit_code.hpp"
#include "modules/access/password_hash.hpp"
#include "password_file_entry.hpp"
#include "password_prompt.hpp"

namespace {

using namespace twinmq;

struct PasswdOptions {
  bool remove = false;
  std::optional<std::string> password;
  std::string file;
  std::string user;
};

int passwd(const PasswdOptions& options);

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
  command
      ->add_option("-b", options.password,
                   "the password (others may see it in the list of processes)")
      ->type_name("PASSWORD");
  command->add_option("file", options.file, "the password file; created if it is not there")
      ->type_name("FILE")
      ->required();
  command->add_option("user", options.user, "the user's name")->type_name("USER")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& outcome) {
    return app.exit(outcome) == 0 ? kExitSuccess : kExitUsage;
  }
  return passwd(options);
}

int refuse(const Error& error) {
  fmt::print(stderr, "twinmq passwd: {}\n", error.detail);
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailure;
}

int passwd(const PasswdOptions& options) {
  if (auto named = check_user_name(options.user); !named) return refuse(named.error());
  if (options.remove && options.password) {
    return refuse({ErrorCode::InvalidArgument, "-D removes a user and takes no password"});
  }
  std::optional<std::string> hash;
  if (!options.remove) {
    auto password = options.password ? Result<std::string>(*options.password) : ask_password();
    if (!password) return refuse(password.error());
    if (password->empty()) return refuse({ErrorCode::InvalidArgument, "the password is empty"});
    hash = access::hash_password(*password);
    if (hash->empty()) return refuse({ErrorCode::Internal, "the system gave no random bytes"});
  }
  if (auto updated = update_password_file(options.file, options.user, hash); !updated)
    return refuse(updated.error());
  return kExitSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}
