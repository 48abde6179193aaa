// Words that may stand in some places only, or nowhere.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "house/source_tree.hpp"

namespace {

// The files in which threads meet, and why.
const std::map<std::string, std::string_view> kThreadFiles = {
    {"src/base/start_thread.hpp", "every thread begins here"},
    {"src/base/mailbox.hpp", "batches of letters change hands between shards"},
    {"src/base/counters.hpp", "one shard writes, anybody reads"},
    {"src/base/message.cpp", "free memory is kept per thread"},
    {"src/storage/commit_queue.hpp", "the storage thread and its queue"},
    {"src/storage/commit_queue.cpp", "the storage thread and its queue"},
    {"src/storage/memory_store.hpp", "readers beside the one writer"},
    {"src/storage/rocksdb_store.hpp", "readers beside the one writer"},
    {"src/storage/rocksdb_store.cpp", "readers beside the one writer"},
    {"src/storage/reader_pool.hpp", "the reading threads and their queue"},
    {"src/storage/reader_pool.cpp", "the reading threads and their queue"},
    {"src/sinks/durable_queue.hpp", "each sink has a thread, and shards hand over to it"},
    {"src/sinks/durable_queue.cpp", "each sink has a thread, and shards hand over to it"},
    {"src/sinks/durable_queues.hpp", "each sink has a thread, and shards hand over to it"},
    {"src/sinks/durable_queues.cpp", "each sink has a thread, and shards hand over to it"},
    {"src/sinks/http_sink.cpp", "a delivery is cancelled from outside"},
    {"include/twinmq/testing/store_conformance.hpp", "a store is read beside its writer"},
    {"src/net/event_loop.hpp", "other threads wake the loop"},
    {"src/net/event_loop.cpp", "other threads wake the loop"},
    {"src/net/tls_server.hpp", "all shards take what a reload exchanges"},
    {"plugins/anomaly/anomaly.cpp", "rules of all shards ask it"},
    {"src/plugins/worker_pool.hpp", "slow calls of a plugin run beside the broker"},
    {"src/plugins/worker_pool.cpp", "slow calls of a plugin run beside the broker"},
    {"src/plugins/plugin.hpp", "shards and workers count what they call"},
    {"src/plugins/plugin.cpp", "shards and workers count what they call"},
    {"src/plugins/plugin_sink.hpp", "a queue's thread waits for a worker"},
    {"src/plugins/plugin_sink.cpp", "a queue's thread waits for a worker"},
    {"src/plugins/access_doors.cpp", "a worker answers a conversation that a shard may have ended"},
    {"src/app/file_watch.hpp", "a thread waits for files to change"},
    {"src/app/file_watch.cpp", "a thread waits for files to change"},
    {"src/net/connection_limits.hpp", "the connections of all shards are counted together"},
    {"src/net/listener.hpp", "shards accept from the same listener"},
    {"src/net/listener.cpp", "shards accept from the same listener"},
    {"src/app/shard_thread.hpp", "gives a shard its thread"},
    {"src/app/shard_thread.cpp", "gives a shard its thread"},
    {"src/app/shard_set.hpp", "starts and stops the shards"},
    {"src/app/shard_set.cpp", "starts and stops the shards"},
    {"src/app/shard_set_listeners.cpp", "starts and stops the shards"},
    {"src/app/inbox.hpp", "any thread leaves errands for a shard"},
    {"src/app/inbox.cpp", "any thread leaves errands for a shard"},
    {"src/app/callback_threads.hpp", "host callbacks run beside the shards"},
    {"src/app/callback_threads.cpp", "host callbacks run beside the shards"},
    {"src/app/admin_socket.hpp", "administrators wait on a thread of their own"},
    {"src/app/admin_socket.cpp", "administrators wait on a thread of their own"},
    {"src/app/watchdog.hpp", "one thread watches how long a host's doors take"},
    {"src/app/watchdog.cpp", "one thread watches how long a host's doors take"},
    {"src/app/reply.hpp", "a caller's thread waits for a shard's answer"},
    {"src/app/local_link.hpp", "host threads acknowledge to a shard"},
    {"src/app/local_link.cpp", "host threads acknowledge to a shard"},
    {"src/app/host_client.hpp", "host threads acknowledge to a shard"},
    {"src/app/host_client.cpp", "host threads acknowledge to a shard"},
    {"src/app/presence_table.hpp", "every shard tells and asks who is connected"},
    {"src/app/presence_table.cpp", "every shard tells and asks who is connected"},
    {"src/app/broker.hpp", "every member may be called from any thread"},
    {"src/app/broker.cpp", "every member may be called from any thread"},
    {"src/app/broker_doors.cpp", "a shard for each core is the default"},
    {"src/app/way_to_shards.hpp", "plugins and queues leave errands for shards"},
    {"src/app/rule_book.hpp", "administrators change rules while shards run them"},
    {"src/app/rule_book.cpp", "administrators change rules while shards run them"},
    {"src/app/rule_book_changes.cpp", "administrators change rules while shards run them"},
    {"src/app/rule_sinks.hpp", "queues ask what is allowed while a reload changes it"},
    {"src/app/rule_sinks.cpp", "queues ask what is allowed while a reload changes it"},
    {"src/app/rule_secrets.hpp", "queues ask for secrets while a reload changes where they are"},
    {"src/app/rule_secrets.cpp", "queues ask for secrets while a reload changes where they are"},
    {"src/app/log.cpp", "every thread logs"},
    {"src/app/log_writer.hpp", "one thread writes what every thread logs"},
    {"src/app/log_writer.cpp", "one thread writes what every thread logs"},
    {"broker/twinmqd.cpp", "a shard for each core is the default"},
    {"broker/examples/gateway.cpp", "the host waits for its broker to do something"},
    {"src/modules/access/hash_worker.hpp", "password hashing takes a thread of its own"},
    {"src/modules/access/hash_worker.cpp", "password hashing takes a thread of its own"},
    {"src/modules/access/current_access.hpp", "all shards read the rules that a reload exchanges"},
    {"src/modules/access/current_access.cpp", "all shards read the rules that a reload exchanges"},
    {"src/modules/access/password_file.cpp", "all shards ask it"},
    {"src/modules/access/acl_file.cpp", "all shards ask it"},
};

const std::vector<std::string> kThreadWords = {
    "std::thread",
    "std::jthread",
    "std::mutex",
    "std::shared_mutex",
    "std::recursive_mutex",
    "std::atomic",
    "std::atomic_flag",
    "std::future",
    "std::promise",
    "std::async",
    "std::latch",
    "std::call_once",
    "std::barrier",
    "thread_local",
    "std::counting_semaphore",
    "std::condition_variable",
    "volatile",
};

}  // namespace

TEST_CASE("threads meet only in the files listed for it", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    if (file.path.starts_with("bench/") || kThreadFiles.contains(file.path)) continue;
    const std::string code = file.code();
    for (const std::string& word : kThreadWords) {
      if (!house::has_word(code, word)) continue;
      FAIL_CHECK(file.path << " says " << word
                           << ". What lies below a shard belongs to one thread by construction; "
                           << "where threads really meet, the file stands in "
                              "tests/house/words_test.cpp with its reason.");
    }
  }
}

TEST_CASE("a file listed for threads has not been forgotten there", "[house]") {
  for (const auto& [path, reason] : kThreadFiles) {
    if (!house::exists(path)) continue;
    const std::string stem = path.substr(0, path.rfind('.'));
    bool uses = false;
    for (const std::string ending : {".hpp", ".cpp"}) {
      if (!house::exists(stem + ending)) continue;
      const std::string code = house::SourceFile{stem + ending, house::read(stem + ending)}.code();
      for (const std::string& word : kThreadWords) uses = uses || house::has_word(code, word);
    }
    INFO(path << " is listed (" << reason
              << ") but says none of the words of threads: take it from the list.");
    CHECK(uses);
  }
}

TEST_CASE("nothing is left to do in a comment", "[house]") {
  // Put together here, so that this file may be checked as well.
  const std::vector<std::string> marks = {std::string("TO") + "DO", std::string("FIX") + "ME",
                                          std::string("XX") + "X", std::string("HA") + "CK"};
  const auto files =
      house::files_below({"include", "src", "broker", "bench", "plugins", "tests", "conf"},
                         {".hpp", ".cpp", ".h", ".txt", ".cmake", ".md", ".toml", ".sh", ".py"});
  for (const house::SourceFile& file : files) {
    for (const std::string& mark : marks) {
      if (!house::has_word(file.text, mark)) continue;
      FAIL_CHECK(house::place(file, file.text.find(mark))
                 << " says " << mark << ". What is left to do is an issue; "
                 << "code says what is.");
    }
  }
}

TEST_CASE("no name of a case has a semicolon", "[house]") {
  for (const house::SourceFile& file : house::files_below({"tests"}, {"_test.cpp"})) {
    for (std::size_t at = 0; (at = file.text.find("\nTEST_CASE(", at)) != std::string::npos; ++at) {
      // The name, over several literals or not, ends with the comma of the tags or with the
      // bracket.
      std::string name;
      bool quoted = false;
      for (std::size_t i = at + 11; i < file.text.size(); ++i) {
        const char byte = file.text[i];
        if (byte == '"') {
          quoted = !quoted;
        } else if (quoted) {
          name += byte;
        } else if (byte == ',' || byte == ')') {
          break;
        }
      }
      INFO(house::place(file, at + 1)
           << ": CMake cuts names apart at semicolons, and the case would not run.");
      CHECK(name.find(';') == std::string::npos);
    }
  }
}

TEST_CASE("nothing in the product throws", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    // Plugins may throw: what they throw ends in the header they are made with.
    if (file.path.starts_with("plugins/") || file.path == "include/twinmq/plugin.hpp") continue;
    INFO(file.path
         << ": errors are values (Result); a foreign library's exceptions end at its door.");
    CHECK_FALSE(house::has_word(file.code(), "throw"));
  }
}

TEST_CASE("no header brings another namespace's names to whoever includes it", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    if (!file.is_header()) continue;
    INFO(file.path << ": a header writes names out.");
    CHECK((file.code().find("\nusing namespace") == std::string::npos));
  }
}
