#include <twinmq/config_file.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

#include "app/config_draft.hpp"
#include "app/config_keys.hpp"
#include "app/config_suggest.hpp"
#include "app/config_text.hpp"

using namespace twinmq;
using namespace twinmq::app;
using Catch::Contains;

namespace {

Result<LoadedConfig, std::vector<Error>> load_text(std::string_view toml) {
  ConfigDraft draft(daemon_defaults());
  apply_toml(draft, toml, "t.toml");
  return std::move(draft).finish();
}

/// The complaints, one per line; empty: none.
std::string complaints(const Result<LoadedConfig, std::vector<Error>>& loaded) {
  std::string text;
  if (!loaded) {
    for (const Error& error : loaded.error()) text += error.detail + "\n";
  }
  return text;
}

std::string complaints(std::string_view toml) {
  return complaints(load_text(toml));
}

std::string complaints_of_setting(const std::string& setting) {
  ConfigSource source;
  source.settings = {setting};
  return complaints(load_config(source));
}

}  // namespace

TEST_CASE("the documented file lists every key with its default and its sentence") {
  std::ifstream file(TWINMQ_SOURCE_DIR "/conf/twinmq.toml");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (const char* path = std::getenv("TWINMQ_WRITE_DOCUMENTED_CONFIG"))
    std::ofstream(path) << documented_config();
  CHECK(text == documented_config());
}

TEST_CASE("the documented file is the defaults of the daemon") {
  const auto loaded = load_text(documented_config());
  REQUIRE(complaints(loaded).empty());
  const Config defaults = daemon_defaults();
  for (const ConfigKey& key : config_keys()) {
    INFO(key.name);
    CHECK(key.get(loaded->config, 0) == key.get(defaults, 0));
  }
}

TEST_CASE("values of every type arrive in the Config") {
  const auto loaded = load_text(R"(
    data_dir = "/var/lib/twinmq"
    [mqtt]
    qos_max = 1
    retain_available = false
    [limits]
    queue_full_v3 = "accept"
    queue_bytes_max = 1_000_000_000_000
    [log]
    level = "error"
    [storage]
    durability = "none"
    [[listener]]
    url = "mqtt://127.0.0.1:0"
    [[listener]]
    url = "mqtt://[::1]:1884"
    anonymous = false
    connections_max = 7)");
  REQUIRE(complaints(loaded).empty());
  const Config& config = loaded->config;
  CHECK(config.data_dir == "/var/lib/twinmq");
  CHECK(config.mqtt.qos_max == 1);
  CHECK_FALSE(config.mqtt.retain_available);
  CHECK(config.limits.queue_full_v3 == QueueFullV3::Accept);
  CHECK(config.limits.queue_bytes_max == 1'000'000'000'000);
  CHECK(config.log.level == LogLevel::Error);
  CHECK(config.storage.durability == Durability::None);
  REQUIRE(config.listeners.size() == 2);
  CHECK(config.listeners[0].url == "mqtt://127.0.0.1:0");
  CHECK_FALSE(config.listeners[0].anonymous.has_value());
  CHECK(config.listeners[1].anonymous == false);
  CHECK(config.listeners[1].connections_max == 7);
}

TEST_CASE("a file without listeners keeps the default one, and an empty list has none") {
  CHECK(load_text("[mqtt]\nqos_max = 1")->config.listeners.size() == 1);
  CHECK(load_text("listener = []")->config.listeners.empty());
}

TEST_CASE("a complaint names file, line, column, key, what was found and what is allowed") {
  CHECK(complaints("[mqtt]\nqos_max = 7\n") ==
        "t.toml:2:11: mqtt.qos_max: found 7, allowed: an integer from 0 to 2\n");
  CHECK(complaints("[mqtt]\nretain_available = \"yes\"") ==
        "t.toml:2:20: mqtt.retain_available: found \"yes\", allowed: true or false\n");
  CHECK(complaints("[log]\nlevel = 'loud'") ==
        "t.toml:2:9: log.level: found \"loud\", allowed: \"debug\", \"info\", \"warning\" or "
        "\"error\"\n");
  CHECK(complaints("data_dir = 1.5") ==
        "t.toml:1:12: data_dir: found 1.5, allowed: a text in quotes\n");
  CHECK(complaints("mqtt = 3") == "t.toml:1:1: mqtt: found 3, allowed: a section [mqtt]\n");
  CHECK_THAT(complaints("[mqtt]\nqos_max = = 2"), Contains("t.toml:2:") && Contains("not TOML"));
  CHECK_THAT(complaints("[listener]\nurl = 'mqtt://127.0.0.1:1'"),
             Contains("[[listener]], in double brackets"));
}

TEST_CASE("a misspelt key is answered with the one that was meant") {
  CHECK(complaints("[mqtt]\nrecieve_maximum = 10") ==
        "t.toml:2:1: mqtt.recieve_maximum: unknown key; did you mean mqtt.receive_maximum?\n");
  CHECK_THAT(complaints("[limits]\nreceive_maximum = 10"),
             Contains("did you mean mqtt.receive_maximum?"));
  CHECK_THAT(complaints("[acess]\nanonymous = true"), Contains("did you mean [access]?"));
  CHECK_THAT(complaints("[[listener]]\nanonymus = true"),
             Contains("did you mean listener.anonymous?"));
  CHECK_THAT(complaints("[log]\ncolour_of_the_sky = 1"), Contains("allowed: level, json, file"));
  CHECK_THAT(complaints_of_setting("acces.acl_fil=x"), Contains("did you mean access.acl_file?"));
}

TEST_CASE("every complaint is told at once") {
  const std::string all =
      complaints("[mqtt]\nqos_max = 7\nqos_mix = 1\n[[listener]]\nurl = 'mqtt://0.0.0.0:1'");
  CHECK_THAT(all, Contains("t.toml:2:") && Contains("t.toml:3:") &&
                      Contains("t.toml:5:7: listener[0].url"));
}

TEST_CASE("a setting overrides the file and the listeners of the command line replace the file's") {
  ConfigSource source;
  source.settings = {"mqtt.qos_max=1", "log.json=true", "access.acl_file=acl=1",
                     "listener.anonymous=true", "listener[1].name=outside"};
  source.listen = {"mqtt://127.0.0.1:0", "mqtt://0.0.0.0:0"};
  source.data_dir = "";
  source.log_level = "debug";
  const auto loaded = load_config(source);
  REQUIRE(complaints(loaded).empty());
  CHECK(loaded->config.mqtt.qos_max == 1);
  CHECK(loaded->config.log.json);
  CHECK(loaded->config.log.level == LogLevel::Debug);
  CHECK(loaded->config.access.acl_file == "acl=1");
  CHECK(loaded->config.data_dir.empty());
  REQUIRE(loaded->config.listeners.size() == 2);
  CHECK(loaded->config.listeners[0].anonymous == true);
  CHECK(loaded->config.listeners[1].name == "outside");
}

TEST_CASE("a wrong setting is explained like a wrong line of the file") {
  CHECK(complaints_of_setting("mqtt.qos_max=seven") ==
        "--set: mqtt.qos_max: found \"seven\", allowed: an integer from 0 to 2\n");
  CHECK_THAT(complaints_of_setting("mqtt.qos_max"), Contains("allowed: key=value"));
  CHECK_THAT(complaints_of_setting("listener[3].name=x"), Contains("there are 1 listeners"));
}

TEST_CASE("durability beyond the store is refused with the reason") {
  CHECK_THAT(complaints("data_dir = ''\n[storage]\ndurability = 'fsync'"),
             Contains("t.toml:3:14: storage.durability: found \"fsync\"") && Contains("in memory"));
  for (const char* word : {"none", "os", "fsync"})
    CHECK(complaints_of_setting(std::string("storage.durability=") + word).empty());
}

TEST_CASE("what is printed can be read back and says the same") {
  ConfigSource source;
  source.settings = {"mqtt.qos_max=1", "access.anonymous=true", "log.file=a\"b\\c\td"};
  source.listen = {"mqtt://127.0.0.1:0", "mqtt://0.0.0.0:0"};
  const auto loaded = load_config(source);
  REQUIRE(complaints(loaded).empty());
  const std::string printed = print_config(*loaded);
  CHECK_THAT(printed,
             Contains("# because it is the strongest the store gives\ndurability = \"fsync\""));
  const auto again = load_text(printed);
  REQUIRE(complaints(again).empty());
  REQUIRE(again->config.listeners.size() == 2);
  for (const ConfigKey& key : config_keys()) {
    INFO(key.name);
    if (key.name != "storage.durability") {
      CHECK(key.get(again->config, 1 % again->config.listeners.size()) ==
            key.get(loaded->config, 1));
    }
  }
  source.settings = {};
  source.file = "";
  CHECK(load_text(print_config(*load_text("listener = []")))->config.listeners.empty());
}

TEST_CASE("a value from the environment or a file is used and never shown") {
  setenv("TWINMQ_TEST_SECRET", "sesame", 1);
  const auto loaded = load_text("[access]\nacl_file = \"/etc/${env:TWINMQ_TEST_SECRET}/acl\"");
  REQUIRE(complaints(loaded).empty());
  CHECK(loaded->config.access.acl_file == "/etc/sesame/acl");
  const std::string printed = print_config(*loaded);
  CHECK_THAT(printed, Contains("acl_file = \"/etc/${env:TWINMQ_TEST_SECRET}/acl\""));
  CHECK_THAT(printed, !Contains("sesame"));

  const std::string wrong = complaints(
      "[[listener]]\nurl = '${env:TWINMQ_TEST_SECRET}'\n"
      "[log]\nlevel = '${env:TWINMQ_TEST_SECRET}'");
  CHECK_THAT(wrong, Contains("listener[0].url") && Contains("log.level") && !Contains("sesame"));
  CHECK_THAT(complaints("data_dir = '${env:TWINMQ_TEST_NOT_SET}'"),
             Contains("no such environment variable"));
  CHECK_THAT(complaints("data_dir = '${file:/does/not/exist}'"), Contains("cannot be read"));
  CHECK_THAT(complaints("data_dir = '${env:X'"), Contains("not closed"));
}

TEST_CASE("a file that cannot be read is named with the reason") {
  ConfigSource source;
  source.file = "/does/not/exist.toml";
  CHECK_THAT(complaints(load_config(source)),
             Contains("/does/not/exist.toml") && Contains("No such file"));
  source.file = "/";
  CHECK_THAT(complaints(load_config(source)), Contains("cannot be read"));
}

TEST_CASE("distances count slips of the fingers") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("recieve", "receive") == 1);
  CHECK(edit_distance("qos_max", "qos_mx") == 1);
  CHECK(edit_distance("same", "same") == 0);
  CHECK(nearest_config_key("mqtt.zzzzzzzzzz").empty());
}
