#include "plugins/plugin.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/escape.hpp"
#include "json/read.hpp"
#include "sql/functions.hpp"

namespace twinmq::plugins {
namespace {

constexpr std::size_t kNameMax = 128;
constexpr std::int64_t kTellSeconds = 10;

bool is_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), allowed);
}

// A name without a folder is one of the shipped plugins, which are found from where the program is.
std::string file_of(const std::string& path) {
  if (path.find('/') != std::string::npos) return path;
  std::error_code none;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", none);
  const std::string file = path.ends_with(".so") ? path : path + ".so";
  return (program.parent_path().parent_path() / "lib/twinmq/plugins" / file).string();
}

template <typename Symbol>
Symbol symbol_of(void* library, const char* name) {
  return reinterpret_cast<Symbol>(dlsym(library, name));
}

}  // namespace

Result<std::shared_ptr<Plugin>> Plugin::open(const PluginConfig& config, Log log) {
  std::shared_ptr<Plugin> plugin(new Plugin(config, std::move(log)));
  if (auto loaded = plugin->load(); !loaded) return loaded.error();
  return plugin;
}

Plugin::Plugin(const PluginConfig& config, Log log)
    : config_(config), account_(std::make_shared<Account>()) {
  account_->name = config.name;
  account_->log = std::move(log);
  WorkerPool::Options options;
  options.workers = static_cast<std::size_t>(config.workers);
  options.patience = std::max(Milliseconds(1000), 10 * deadline());
  pool_ = std::make_unique<WorkerPool>(options, [account = account_] {
    account->disabled = true;
    account->log(LogLevel::Error, "plugin disabled",
                 "plugin=" + escaped(account->name) + " reason=\"a call hangs\"");
  });
}

Plugin::~Plugin() {
  pool_.reset();
  if (opened_ && close_ != nullptr) close_(state_);
}

Error Plugin::wrong(const std::string& what) const {
  const std::string place = config_.place.empty() ? "" : config_.place + ": ";
  return {ErrorCode::InvalidConfig, place + "plugin \"" + config_.name + "\": " + what};
}

Result<void> Plugin::load() {
  const std::string file = file_of(config_.path);
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return wrong("there is no file " + file);
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return wrong(std::string("cannot be loaded: ") + dlerror());
  const auto abi = symbol_of<std::uint32_t (*)()>(library, "twinmq_plugin_abi");
  const auto open =
      symbol_of<void* (*)(const twinmq_host*, twinmq_answer*)>(library, "twinmq_plugin_open");
  close_ = symbol_of<void (*)(void*)>(library, "twinmq_plugin_close");
  for (const auto& [found, name] : {std::pair(abi != nullptr, "twinmq_plugin_abi"),
                                    std::pair(open != nullptr, "twinmq_plugin_open")})
    if (!found)
      return wrong(file + " has no " + name + "(): is it a plugin, made with TWINMQ_PLUGIN()?");
  if (const std::uint32_t made_for = abi(); made_for != TWINMQ_PLUGIN_ABI)
    return wrong(file + " was made for version " + std::to_string(made_for) +
                 " of the plugin interface; this broker has version " +
                 std::to_string(TWINMQ_PLUGIN_ABI) + ": build it anew");
  const json::ReadResult options = json::read(config_.options, arena_);
  if (!options || !options.value.is(json::Kind::Object))
    return wrong("its options are no JSON object");
  options_ = shown(options.value, arena_);
  host_.self = this;
  twinmq_host& host = host_.raw;
  host.size = sizeof host;
  host.abi = TWINMQ_PLUGIN_ABI;
  host.name = shown(config_.name);
  host.options = &options_;
  host.log = [](const twinmq_host* from, std::uint32_t level, twinmq_text text) {
    const Account& account = *reinterpret_cast<const HostDoor*>(from)->self->account_;
    account.log(static_cast<LogLevel>(std::min<std::uint32_t>(level, TWINMQ_ERROR)), "plugin",
                "plugin=" + escaped(account.name) + " message=" + escaped(taken(text)));
  };
  host.add_function = [](const twinmq_host* to, const twinmq_function* each) {
    return add(to, each, &Offers::functions);
  };
  host.add_aggregate = [](const twinmq_host* to, const twinmq_aggregate* each) {
    return add(to, each, &Offers::aggregates);
  };
  host.add_action = [](const twinmq_host* to, const twinmq_action* each) {
    return add(to, each, &Offers::actions);
  };
  host.add_transformation = [](const twinmq_host* to, const twinmq_transformation* each) {
    return add(to, each, &Offers::transformations);
  };
  host.add_authenticator = [](const twinmq_host* to, const twinmq_authenticator* each) {
    return add(to, each, &Offers::authenticators);
  };
  host.add_authorizer = [](const twinmq_host* to, const twinmq_authorizer* each) {
    return add(to, each, &Offers::authorizers);
  };
  json::Arena room;
  Answer answer(room);
  opening_ = true;
  state_ = open(&host, answer.raw());
  opening_ = false;
  if (answer.failed()) return wrong("did not open: " + answer.why());
  opened_ = true;
  return {};
}

// A description of an older plugin is shorter: what it does not know is zero.
template <typename Description>
int Plugin::add(const twinmq_host* host, const Description* description,
                std::vector<Offer<Description>> Offers::*list) {
  Plugin& self = *reinterpret_cast<const HostDoor*>(host)->self;
  Description copy{};
  std::memcpy(&copy, description, std::min<std::size_t>(description->size, sizeof copy));
  if (!self.opening_ || !is_name(taken(copy.name))) return 0;
  std::string name = sql::outside_name(taken(copy.name));
  auto& offers = self.offers_.*list;
  if (std::any_of(offers.begin(), offers.end(),
                  [&](const auto& each) { return each.name == name; }))
    return 0;
  offers.push_back({std::move(name), copy});
  return 1;
}

PluginStatistics Plugin::statistics() const {
  return {config_.name, account_->calls.load(), account_->errors.load(), account_->timeouts.load(),
          disabled()};
}

void Plugin::Account::tell(const std::string& detail) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::steady_clock::now().time_since_epoch())
                       .count();
  std::int64_t last = told.load(std::memory_order_relaxed);
  if ((last != 0 && now - last < kTellSeconds) || !told.compare_exchange_strong(last, now)) return;
  log(LogLevel::Warning, "plugin failed", "plugin=" + escaped(name) + " " + detail);
}

bool Plugin::settle(std::string_view offer, const Answer& answer) {
  account_->calls.fetch_add(1, std::memory_order_relaxed);
  if (!answer.failed()) return true;
  account_->errors.fetch_add(1, std::memory_order_relaxed);
  account_->tell("call=" + std::string(offer) + " reason=" + answer.why());
  return false;
}

void Plugin::call_later(Milliseconds deadline, WorkerPool::Work work, WorkerPool::Finish finish) {
  pool_->submit(deadline, std::move(work),
                [account = account_, finish = std::move(finish)](WorkerPool::End end,
                                                                 const WorkerPool::Result& result) {
                  if (end == WorkerPool::End::Late) {
                    account->timeouts.fetch_add(1, std::memory_order_relaxed);
                    account->tell("reason=\"no answer at the deadline\"");
                  } else if (end == WorkerPool::End::Refused) {
                    account->errors.fetch_add(1, std::memory_order_relaxed);
                  }
                  finish(end, result);
                });
}

}  // namespace twinmq::plugins
