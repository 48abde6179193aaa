// A plugin of another version of the interface.

#include <twinmq/plugin_abi.h>

extern "C" TWINMQ_PLUGIN_EXPORT uint32_t twinmq_plugin_abi(void) {
  return 0;
}
extern "C" TWINMQ_PLUGIN_EXPORT void* twinmq_plugin_open(const twinmq_host*, twinmq_answer*) {
  return nullptr;
}
