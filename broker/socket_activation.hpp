#pragma once
// Sockets that systemd opened before it started the daemon, so that a restart refuses nobody.

#include <vector>

#include <twinmq/broker.hpp>

namespace twinmq {

/// As sd_listen_fds(3) says: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. The variables are taken out of
/// the environment; call it once, before there are threads.
std::vector<ListeningSocket> inherited_sockets();

}  // namespace twinmq
