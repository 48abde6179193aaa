// A plugin of a version of the interface that is still to come.

#include <twinmq/plugin_abi.h>

extern "C" TWINMQ_PLUGIN_EXPORT uint32_t twinmq_plugin_abi(void) {
  return TWINMQ_PLUGIN_ABI + 1;
}
extern "C" TWINMQ_PLUGIN_EXPORT void* twinmq_plugin_open(const twinmq_host*, twinmq_answer*) {
  return nullptr;
}
