#include "sinks/http_target.hpp"

#include <catch2/catch.hpp>

using namespace twinmq::sinks;

namespace {

bool allowed(const std::string& url,
             std::vector<std::string> targets = {"http://plant.example/in/"}) {
  return static_cast<bool>(check_http_address(url, targets));
}

}  // namespace

TEST_CASE("an address below a target is allowed, however scheme, host and port are written") {
  const std::string url = GENERATE("http://plant.example/in/", "http://plant.example/in/a/b",
                                   "http://PLANT.example/in/a", "http://plant.example:80/in/a",
                                   "http://plant.example/in/a?q=../x",
                                   "http://plant.example/in/..a", "http://plant.example/in/a%20b");
  CAPTURE(url);
  CHECK(allowed(url));
}

TEST_CASE("an address that leads elsewhere is refused, whatever it begins with") {
  const std::string url =
      GENERATE("http://plant.example/in/../admin", "http://plant.example/in/..",
               "http://plant.example/in/./a", "http://plant.example/in/%2e%2e/admin",
               "http://plant.example/in/.%2E/admin", "http://plant.example/in/..%2fadmin",
               "http://plant.example/in/%252e%252e/admin", "http://plant.example/in/..;a=b/admin",
               "http://plant.example/in/..\\admin", "http://plant.example/in/..%5cadmin",
               "http://plant.example/in/a%00", "http://plant.example/in/%25252525252e",
               "http://plant.example/in", "http://plant.example/inside", "http://plant.example/IN/",
               "http://plant.example//in/", "http://plant.example.evil.com/in/",
               "http://plant.example:8080/in/", "https://plant.example/in/",
               "http://user@plant.example/in/", "http://plant.example@evil.com/in/",
               "http://plant.example\\@evil.com/in/", "http://user:word@plant.example/in/",
               "//plant.example/in/", "ftp://plant.example/in/", "plant.example/in/", "http:///in/",
               "http://plant.example/in/ a", "http://plant.example/in/\r\nX: y", "");
  CAPTURE(url);
  CHECK_FALSE(allowed(url));
}

TEST_CASE("a target without a slash at its end is one path, with any query unless it has its own") {
  CHECK(allowed("http://h/in", {"http://h/in"}));
  CHECK(allowed("http://h/in?a=1", {"http://h/in"}));
  CHECK_FALSE(allowed("http://h/inside", {"http://h/in"}));
  CHECK_FALSE(allowed("http://h/in/a", {"http://h/in"}));
  CHECK(allowed("http://h/in?a=1", {"http://h/in?a=1"}));
  CHECK_FALSE(allowed("http://h/in?a=2", {"http://h/in?a=1"}));
  CHECK(allowed("http://h/in", {"http://h"}));
  CHECK_FALSE(allowed("http://h.evil.com/in", {"http://h"}));
  CHECK(allowed("https://h/", {"http://a/", "https://h:443/"}));
  CHECK_FALSE(allowed("http://h/", {}));
}

TEST_CASE("of an address with expressions what stands before them must lead below a target") {
  const auto possible = [](const char* text) {
    return static_cast<bool>(check_http_template(text, {"http://plant.example/in/"}));
  };
  CHECK(possible("http://plant.example/in/${topic(2)}"));
  CHECK(possible("http://plant.example/in/a-${topic(2)}/b"));
  CHECK(possible("http://plant.example/${a}"));
  CHECK(possible("http://plant.example/in/?d=${a}"));
  CHECK(possible("http://${a}/in/"));
  CHECK_FALSE(possible("http://plant.example/out/${a}"));
  CHECK_FALSE(possible("http://evil.com/in/${a}"));
  CHECK_FALSE(possible("http://plant.example/in/../${a}"));
  CHECK_FALSE(possible("http://plant.example/out/?d=${a}"));
  CHECK_FALSE(possible("${a}"));
  CHECK_FALSE(check_http_template("http://h/${a}", {}));
}

TEST_CASE("a target that is no address says why") {
  CHECK(check_http_target("http://plant.example/in/"));
  for (const char* target :
       {"plant.example", "file:///etc/", "http://a@h/", "http://h/../", "http://h /"})
    CHECK_FALSE(check_http_target(target));
  CHECK(check_http_target("http://a@h/").error().detail.find("names a user") != std::string::npos);
}
