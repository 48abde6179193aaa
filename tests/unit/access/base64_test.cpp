#include "modules/access/base64.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace twinmq::access;

TEST_CASE("base64 reads back what it wrote") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    CHECK(decode_base64(encode_base64(bytes)).value_or("") == bytes);
    bytes += static_cast<char>(i);
  }
  CHECK(encode_base64("foobar") == "Zm9vYmFy");
  CHECK(encode_base64("fo") == "Zm8=");
}

TEST_CASE("what is not exactly base64 is none") {
  for (const char* text : {"", "Zg", "Zg=", "Z===", "Zm 8=", "Zm8=\n", "Zm-_", "Zg==Zg=="}) {
    CHECK_FALSE(decode_base64(text));
  }
}
