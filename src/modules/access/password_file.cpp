#include "modules/access/password_file.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include <openssl/crypto.h>

#include "modules/access/line_file.hpp"
#include "modules/access/password_hash.hpp"

namespace twinmq::access {
namespace {

AuthenticationResult refusal(ReasonCode code) {
  AuthenticationResult result;
  result.code = code;
  return result;
}

AuthenticationResult anonymous_verdict(const Credentials& credentials) {
  if (!credentials.transport_principal.empty()) {
    AuthenticationResult proved = refusal(ReasonCode::Success);
    proved.principal = credentials.transport_principal;
    return proved;
  }
  return refusal(credentials.anonymous_allowed ? ReasonCode::Success : ReasonCode::NotAuthorized);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

class PasswordFile::Table {
 public:
  bool add(std::string_view user, PasswordHash hash) {
    if (!place_of_.try_emplace(std::string(user), hashes_.size()).second) return false;
    hashes_.push_back(std::move(hash));
    marks_.emplace_back();
    return true;
  }

  /// An unknown user is measured against somebody's hash, always the same one for one name, so that
  /// the time taken tells nothing even if the entries differ in cost.
  bool verify(const std::string& user, std::string_view password) const {
    const auto place = place_of_.find(user);
    if (place != place_of_.end()) {
      PasswordMark& mark = marks_[place->second];
      if (mark.is(password)) return true;
      if (!verify_password(hashes_[place->second], password)) return false;
      mark.set(password);
      return true;
    }
    if (hashes_.empty()) {
      verify_password(PasswordHash{kIterations, "no such user", {}}, password);
    } else {
      verify_password(hashes_[std::hash<std::string>{}(user) % hashes_.size()], password);
    }
    return false;
  }

 private:
  std::unordered_map<std::string, std::size_t> place_of_;
  std::vector<PasswordHash> hashes_;
  mutable std::vector<PasswordMark> marks_;  ///< used by the hashing thread alone
};

namespace {

/// A question on its way to the hashing thread and back; shared by the conversation and the job.
class PasswordQuestion {
 public:
  PasswordQuestion(const Credentials& credentials, Authentication::Done done)
      : user_(credentials.username),
        password_(credentials.password),
        has_password_(credentials.has_password),
        done_(std::move(done)) {}
  ~PasswordQuestion() { OPENSSL_cleanse(password_.data(), password_.size()); }
  PasswordQuestion(const PasswordQuestion&) = delete;
  PasswordQuestion& operator=(const PasswordQuestion&) = delete;

  std::size_t bytes() const { return user_.size() + password_.size(); }

  /// On the hashing thread.
  void ask(const PasswordFile::Table& table) {
    {
      const std::lock_guard lock(mutex_);
      if (dropped_) return;
    }
    const bool right = table.verify(user_, password_) && has_password_;
    AuthenticationResult result =
        refusal(right ? ReasonCode::Success : ReasonCode::BadUserNameOrPassword);
    if (right) result.principal = user_;
    answer(std::move(result));
  }

  void answer(AuthenticationResult result) {
    const std::lock_guard lock(mutex_);
    if (dropped_) return;
    dropped_ = true;
    done_(std::move(result));
  }

  /// After this no answer is given; waits for one being given on another thread.
  void drop() {
    const std::lock_guard lock(mutex_);
    dropped_ = true;
  }

 private:
  // Recursive: the receiver of the answer may end the conversation from within.
  std::recursive_mutex mutex_;
  const std::string user_;
  std::string password_;
  const bool has_password_;
  const Authentication::Done done_;
  bool dropped_ = false;
};

class PasswordAuthentication final : public Authentication {
 public:
  PasswordAuthentication(std::shared_ptr<const PasswordFile::Table> table,
                         std::shared_ptr<HashWorker::Queue> queue)
      : table_(std::move(table)), queue_(std::move(queue)) {}

  ~PasswordAuthentication() override {
    if (const auto question = question_.lock()) question->drop();
  }

  void begin(const Credentials& credentials, Done done) override {
    if (!credentials.has_username || !credentials.transport_principal.empty())
      return done(anonymous_verdict(credentials));
    // Apart from its control block, so that nothing of it stays with the connection once answered.
    std::shared_ptr<PasswordQuestion> question(new PasswordQuestion(credentials, std::move(done)));
    question_ = question;
    // Nothing below touches this object: the answer may have ended it.
    const bool taken = queue_->submit(
        [question, table = table_](bool cancelled) {
          if (cancelled) {
            question->answer(refusal(ReasonCode::ServerBusy));
          } else {
            question->ask(*table);
          }
        },
        question->bytes());
    if (!taken) question->answer(refusal(ReasonCode::ServerBusy));
  }

  void proceed(std::string_view, Done done) override { done(refusal(ReasonCode::ProtocolError)); }

 private:
  std::shared_ptr<const PasswordFile::Table> table_;
  std::shared_ptr<HashWorker::Queue> queue_;
  std::weak_ptr<PasswordQuestion> question_;
};

class AnonymousAuthentication final : public Authentication {
 public:
  void begin(const Credentials& credentials, Done done) override {
    done(anonymous_verdict(credentials));
  }
  void proceed(std::string_view, Done done) override { done(refusal(ReasonCode::ProtocolError)); }
};

}  // namespace

PasswordFile::PasswordFile(std::shared_ptr<const Table> table, std::shared_ptr<HashWorker> worker)
    : table_(std::move(table)), worker_(std::move(worker)) {}

PasswordFile::~PasswordFile() = default;

Result<std::unique_ptr<PasswordFile>> PasswordFile::load(const std::string& path,
                                                         std::shared_ptr<HashWorker> worker) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return parse(*text, path, std::move(worker));
}

Result<std::unique_ptr<PasswordFile>> PasswordFile::parse(std::string_view text,
                                                          std::string_view name,
                                                          std::shared_ptr<HashWorker> worker) {
  auto table = std::make_shared<Table>();
  Complaints complaints(name);
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return complaints.add(number, 1, "no ':' found; allowed: 'user:hash'");
    }
    const std::string_view user = trimmed(line.substr(0, colon));
    if (user.empty())
      return complaints.add(number, 1, "the user name is empty; allowed: 'user:hash'");
    const std::size_t at = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
    Result<PasswordHash, HashFault> hash = parse_password_hash(line.substr(at));
    if (!hash) return complaints.add(number, at + hash.error().at + 1, hash.error().what);
    if (!table->add(user, std::move(*hash))) {
      complaints.add(number, 1,
                     "user " + quoted(user) + " is there already; each user stands once");
    }
  });
  if (!complaints.empty()) return complaints.error();
  if (!worker) worker = std::make_shared<HashWorker>();
  return std::unique_ptr<PasswordFile>(new PasswordFile(std::move(table), std::move(worker)));
}

std::unique_ptr<Authentication> PasswordFile::start(std::string_view method) {
  if (!method.empty()) return nullptr;
  return std::make_unique<PasswordAuthentication>(table_, worker_->queue());
}

std::optional<AuthenticationResult> AnonymousOnly::decide(const Credentials& credentials) {
  std::optional<AuthenticationResult> verdict;
  AnonymousAuthentication().begin(
      credentials, [&](AuthenticationResult result) { verdict = std::move(result); });
  return verdict;
}

std::unique_ptr<Authentication> AnonymousOnly::start(std::string_view method) {
  if (!method.empty()) return nullptr;
  return std::make_unique<AnonymousAuthentication>();
}

}  // namespace twinmq::access
