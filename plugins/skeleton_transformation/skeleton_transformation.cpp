// A transformation to begin with: what sensors send with blanks around it arrives without, and
// empty messages do not.

#include <string>
#include <string_view>

#include <twinmq/plugin.hpp>

using namespace twinmq::plugin;

TWINMQ_PLUGIN(host) {
  const std::string prefix(host.options()["prefix"].text_or(""));

  host.transformation("trim", [prefix](const Message& message) {
    if (!message.topic.starts_with(prefix)) return Transformed::keep();
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t begin = message.payload.find_first_not_of(kBlanks);
    // An empty retained message removes the retained one: it must pass.
    if (begin == std::string_view::npos)
      return message.retain ? Transformed::keep() : Transformed::drop();
    const std::size_t end = message.payload.find_last_not_of(kBlanks) + 1;
    if (end - begin == message.payload.size()) return Transformed::keep();
    return Transformed::change(std::string(message.payload.substr(begin, end - begin)));
  });
}
