#include "modules/access/password_file.hpp"
#include "modules/access/base64.hpp"

#include <openssl/evp.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "modules/access/password_hash.hpp"

using namespace twinmq;
using namespace twinmq::access;

namespace {

std::string entry_of(std::string_view password) {
  static const std::string pw = hash_password("pw");
  return password == "pw" ? pw : hash_password(password);
}

Credentials credentials_of(std::string_view user, std::string_view password) {
  Credentials credentials;
  credentials.has_username = true;
  credentials.username = user;
  credentials.has_password = true;
  credentials.password = password;
  return credentials;
}

AuthenticationResult ask(Authenticator& authenticator, const Credentials& credentials) {
  std::promise<AuthenticationResult> answer;
  const auto conversation = authenticator.start("");
  REQUIRE(conversation);
  conversation->begin(credentials,
                      [&](AuthenticationResult result) { answer.set_value(std::move(result)); });
  return answer.get_future().get();
}

std::unique_ptr<PasswordFile> parsed(std::string_view text,
                                     std::shared_ptr<HashWorker> worker = nullptr) {
  auto file = PasswordFile::parse(text, "passwords", std::move(worker));
  if (!file) FAIL(file.error().detail);
  return std::move(*file);
}

std::string complaint_about(std::string_view text) {
  const auto file = PasswordFile::parse(text, "passwords");
  REQUIRE_FALSE(file);
  CHECK(file.error().code == ErrorCode::InvalidConfig);
  return file.error().detail;
}

// Keeps a worker busy until it is destroyed.
class Plug {
 public:
  explicit Plug(HashWorker& worker) {
    REQUIRE(worker.queue()->submit(
        [gates = gates_](bool) {
          gates->entered.set_value();
          gates->release.get_future().wait();
        },
        0));
    gates_->entered.get_future().wait();
  }
  ~Plug() { gates_->release.set_value(); }
  Plug(const Plug&) = delete;
  Plug& operator=(const Plug&) = delete;

 private:
  struct Gates {
    std::promise<void> entered;
    std::promise<void> release;
  };
  std::shared_ptr<Gates> gates_ = std::make_shared<Gates>();
};

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "twinmq-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a user with the right password is accepted under its name, anybody else refused") {
  const auto file =
      parsed("# people\n\nalice:" + entry_of("pw") + "\r\n  bob : " + entry_of("other"));
  const AuthenticationResult alice = ask(*file, credentials_of("alice", "pw"));
  CHECK(alice.code == ReasonCode::Success);
  CHECK(alice.principal == "alice");
  CHECK(ask(*file, credentials_of("bob", "other")).principal == "bob");
  for (const auto& [user, password] :
       std::vector<std::pair<std::string, std::string>>{{"alice", "other"},
                                                        {"alice", ""},
                                                        {"Alice", "pw"},
                                                        {"carol", "pw"},
                                                        {"", "pw"},
                                                        {"alice ", "pw"}}) {
    INFO(user << "/" << password);
    const AuthenticationResult result = ask(*file, credentials_of(user, password));
    CHECK(result.code == ReasonCode::BadUserNameOrPassword);
    CHECK(result.principal.empty());
  }
}

// Hashed each time, these logins take minutes.
TEST_CASE("a client that comes back is not hashed anew, and a wrong password is still refused") {
  std::string entry = hash_password("pw");
  REQUIRE(entry.starts_with("$7$10000$"));
  const std::string salt = entry.substr(9, entry.find('$', 9) - 9);
  std::array<unsigned char, 64> digest{};
  const std::string raw = *decode_base64(salt);
  REQUIRE(PKCS5_PBKDF2_HMAC("pw", 2, reinterpret_cast<const unsigned char*>(raw.data()),
                            static_cast<int>(raw.size()), 500'000, EVP_sha512(),
                            static_cast<int>(digest.size()), digest.data()) == 1);
  const auto file =
      parsed("u:$7$500000$" + salt + "$" +
             encode_base64({reinterpret_cast<const char*>(digest.data()), digest.size()}) + "\n");
  for (int i = 0; i < 3000; ++i)
    REQUIRE(ask(*file, credentials_of("u", "pw")).code == ReasonCode::Success);
  CHECK(ask(*file, credentials_of("u", "pw2")).code == ReasonCode::BadUserNameOrPassword);
  CHECK(ask(*file, credentials_of("u", "")).code == ReasonCode::BadUserNameOrPassword);
  CHECK(ask(*file, credentials_of("u", "pw")).code == ReasonCode::Success);
}

TEST_CASE("a user name without password is refused even if the password is empty") {
  const auto file = parsed("alice:" + entry_of(""));
  Credentials credentials = credentials_of("alice", "");
  CHECK(ask(*file, credentials).code == ReasonCode::Success);
  credentials.has_password = false;
  CHECK(ask(*file, credentials).code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE("a client without user name is accepted only where anonymous clients are") {
  const auto file = parsed("alice:" + entry_of("pw"));
  Credentials credentials;
  CHECK(ask(*file, credentials).code == ReasonCode::NotAuthorized);
  credentials.anonymous_allowed = true;
  CHECK(ask(*file, credentials).code == ReasonCode::Success);
  CHECK(ask(*file, credentials).principal.empty());
  Credentials wrong = credentials_of("alice", "x");
  wrong.anonymous_allowed = true;
  CHECK(ask(*file, wrong).code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE("without a password file the listener decides, and a user name proves nothing") {
  AnonymousOnly authenticator;
  Credentials credentials = credentials_of("admin", "x");
  CHECK(ask(authenticator, credentials).code == ReasonCode::NotAuthorized);
  credentials.anonymous_allowed = true;
  CHECK(ask(authenticator, credentials).code == ReasonCode::Success);
  CHECK(ask(authenticator, credentials).principal.empty());
}

TEST_CASE("enhanced authentication methods are unknown [MQTT-4.12.0-1]") {
  CHECK(parsed("")->start("SCRAM-SHA-256") == nullptr);
  CHECK(AnonymousOnly().start("PLAIN") == nullptr);
}

TEST_CASE("an empty password file refuses every user") {
  CHECK(ask(*parsed(""), credentials_of("alice", "pw")).code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE(
    "every mistake of a password file is told with file, line and column, and no hash is quoted") {
  const std::string good = entry_of("pw");
  const std::string detail =
      complaint_about("alice:" + good + "\nnonsense\n\n:" + good +
                      "\nbob: plaintext\nalice:" + good + "\ncarol:$7$many$AAAA$AAAA\n");
  CHECK_THAT(detail, Catch::Contains("passwords:2:1: no ':' found"));
  CHECK_THAT(detail, Catch::Contains("passwords:4:1: the user name is empty"));
  CHECK_THAT(detail, Catch::Contains("passwords:5:6: the password is not hashed"));
  CHECK_THAT(detail, Catch::Contains("passwords:6:1: user 'alice' is there already"));
  CHECK_THAT(detail, Catch::Contains("passwords:7:10: the iterations must be"));
  CHECK_THAT(detail, !Catch::Contains("plaintext"));
  CHECK_THAT(detail, !Catch::Contains(good));
}

TEST_CASE("a file full of mistakes is told in a bounded message") {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "wrong\n";
  const std::string detail = complaint_about(text);
  CHECK(detail.size() < 4096);
  CHECK_THAT(detail, Catch::Contains("and 9980 more"));
}

TEST_CASE("a password file that cannot be read is an error that names it") {
  const Folder folder;
  const auto missing = PasswordFile::load(folder.file("none"));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::NotFound);
  CHECK_THAT(missing.error().detail, Catch::Contains(folder.file("none")));
  CHECK_FALSE(PasswordFile::load(folder.file("")));
}

TEST_CASE("an answer that comes after the conversation ended is dropped") {
  const auto worker = std::make_shared<HashWorker>();
  const auto file = parsed("alice:" + entry_of("pw"), worker);
  std::atomic<int> answers = 0;
  {
    Plug plug(*worker);
    const auto conversation = file->start("");
    conversation->begin(credentials_of("alice", "pw"), [&](AuthenticationResult) { ++answers; });
  }
  CHECK(ask(*file, credentials_of("alice", "pw")).code == ReasonCode::Success);
  CHECK(answers == 0);
}

TEST_CASE("the receiver of an answer may end the conversation from within") {
  const auto file = parsed("alice:" + entry_of("pw"));
  auto conversation = file->start("");
  std::promise<void> ended;
  conversation->begin(credentials_of("alice", "pw"), [&](AuthenticationResult) {
    conversation.reset();
    ended.set_value();
  });
  ended.get_future().wait();
  CHECK(conversation == nullptr);
}

TEST_CASE("a flood of passwords gets ServerBusy beyond the limit, and everybody gets one answer") {
  auto worker = std::make_shared<HashWorker>();
  const auto file = parsed("alice:" + entry_of("pw"), worker);
  std::mutex mutex;
  std::size_t busy = 0;
  std::size_t others = 0;
  const auto count = [&](AuthenticationResult result) {
    const std::lock_guard lock(mutex);
    ++(result.code == ReasonCode::ServerBusy ? busy : others);
  };
  std::vector<std::unique_ptr<Authentication>> conversations;
  {
    Plug plug(*worker);
    for (std::size_t i = 0; i < kHashJobsMax + 10; ++i) {
      conversations.push_back(file->start(""));
      conversations.back()->begin(credentials_of("mallory", "x"), count);
    }
    CHECK(busy == 10);
    conversations.resize(8);  // who has gone costs no hashing
  }
  AuthenticationResult alice;
  do {
    alice = ask(*file, credentials_of("alice", "pw"));
  } while (alice.code == ReasonCode::ServerBusy);
  CHECK(alice.code == ReasonCode::Success);
  CHECK(busy == 10);
  CHECK(others == 8);
}

TEST_CASE("huge passwords are bounded by their bytes") {
  const auto worker = std::make_shared<HashWorker>();
  const auto file = parsed("alice:" + entry_of("pw"), worker);
  const std::string huge(65'535, 'x');
  std::size_t busy = 0;
  std::vector<std::unique_ptr<Authentication>> conversations;
  Plug plug(*worker);
  for (int i = 0; i < 80; ++i) {
    conversations.push_back(file->start(""));
    conversations.back()->begin(credentials_of("alice", huge),
                                [&](AuthenticationResult) { ++busy; });
  }
  CHECK(busy == 80 - kHashBytesMax / (65'535 + 5));
  conversations.clear();
}

TEST_CASE("clients that wait when the last worker ends are told to come back") {
  auto worker = std::make_unique<HashWorker>();
  const auto queue = worker->queue();
  std::promise<void> entered;
  std::promise<void> release;
  REQUIRE(queue->submit(
      [&](bool) {
        entered.set_value();
        release.get_future().wait();
      },
      0));
  entered.get_future().wait();
  std::promise<bool> waiting;
  REQUIRE(queue->submit([&](bool cancelled) { waiting.set_value(cancelled); }, 0));
  std::thread closer([&] { worker.reset(); });
  CHECK(waiting.get_future().get());
  release.set_value();
  closer.join();
  CHECK_FALSE(queue->submit([](bool) {}, 0));
}

TEST_CASE("a conversation outlives its password file") {
  const auto worker = std::make_shared<HashWorker>();
  auto file = parsed("alice:" + entry_of("pw"), worker);
  const auto conversation = file->start("");
  file.reset();
  std::promise<AuthenticationResult> answer;
  conversation->begin(credentials_of("alice", "pw"),
                      [&](AuthenticationResult result) { answer.set_value(std::move(result)); });
  CHECK(answer.get_future().get().code == ReasonCode::Success);

  file = parsed("alice:" + entry_of("pw"));
  const auto orphan = file->start("");
  file.reset();
  ReasonCode code = ReasonCode::Success;
  orphan->begin(credentials_of("alice", "pw"),
                [&](AuthenticationResult result) { code = result.code; });
  CHECK(code == ReasonCode::ServerBusy);
}

TEST_CASE("files and mosquitto_passwd understand each other both ways") {
  if (std::system("command -v mosquitto_passwd >/dev/null 2>&1") != 0) {
    WARN("skipped: mosquitto_passwd is not installed");
    return;
  }
  const Folder folder;
  const std::string path = folder.file("passwords");
  std::ofstream(path) << "ours:" << entry_of("pw") << "\n";
  ::chmod(path.c_str(), 0600);
  const auto run = [&](const std::string& arguments) {
    return std::system(("mosquitto_passwd " + arguments + " >/dev/null 2>&1").c_str());
  };
  REQUIRE(run("-b " + path + " alice wonderland") == 0);
  REQUIRE(run("-H sha512 -b " + path + " bob builder") == 0);
  const auto file = PasswordFile::load(path);
  if (!file) FAIL(file.error().detail);
  CHECK(ask(**file, credentials_of("ours", "pw")).code == ReasonCode::Success);
  CHECK(ask(**file, credentials_of("alice", "wonderland")).code == ReasonCode::Success);
  CHECK(ask(**file, credentials_of("bob", "builder")).code == ReasonCode::Success);
  CHECK(ask(**file, credentials_of("bob", "wonderland")).code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE("the example file loads, lets nobody in, and its sample line is a real one") {
  const auto path = std::filesystem::path(TWINMQ_SOURCE_DIR) / "conf/passwords.example";
  const auto file = PasswordFile::load(path.string());
  if (!file) FAIL(file.error().detail);
  CHECK(ask(**file, credentials_of("alice", "change-me")).code ==
        ReasonCode::BadUserNameOrPassword);
  std::ifstream lines(path);
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("#alice:")) continue;
  CHECK(ask(*parsed(line.substr(1)), credentials_of("alice", "change-me")).code ==
        ReasonCode::Success);
}
