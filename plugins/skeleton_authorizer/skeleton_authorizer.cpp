// An authorizer to begin with: below a prefix only some may publish. All else is left to the
// broker's own rules.

#include <set>
#include <string>
#include <string_view>

#include <twinmq/plugin.hpp>

using namespace twinmq::plugin;

TWINMQ_PLUGIN(host) {
  const std::string prefix(host.options()["prefix"].text());
  std::set<std::string, std::less<>> writers;
  const View names = host.options()["writers"];
  for (std::size_t i = 0; i < names.size(); ++i) writers.emplace(names[i].text());

  host.authorizer("writers", [prefix, writers](const Question& question) {
    if (question.access != TWINMQ_PUBLISH || !question.topic.starts_with(prefix))
      return Verdict::Pass;
    return writers.contains(question.principal) ? Verdict::Pass : Verdict::Deny;
  });
}
