# shellcheck shell=bash disable=SC2034
# What the house needs from Debian, and how the run scripts get it. Sourced by bash.

build_packages=(
  build-essential cmake ninja-build ccache lld pkg-config
  libasio-dev libssl-dev libfmt-dev libtomlplusplus-dev libcli11-dev librocksdb-dev libflatbuffers-dev
  flatbuffers-compiler nlohmann-json3-dev
  libhttp-parser-dev rapidjson-dev libsimdjson-dev libre2-dev tzdata libcurl4-openssl-dev zlib1g-dev libprotobuf-dev
)
test_packages=(
  catch2 libbenchmark-dev mosquitto mosquitto-clients openssl python3 python3-paho-mqtt
  libpaho-mqttpp-dev libpaho-mqtt-dev nodejs npm haproxy systemd testssl.sh libwslay-dev clang clang-format
  libclang-rt-14-dev chromium
)

# install_missing PACKAGE...: installs those that are not there, and asks apt for nothing when all are.
install_missing() {
  local missing=() package as_root=()
  if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian; expecting these to be installed: $*" >&2
    return
  fi
  for package in "$@"; do
    # Node.js often comes from elsewhere, with its npm, and then excludes Debian's.
    [[ $package == nodejs ]] && command -v node >/dev/null && continue
    [[ $package == npm ]] && command -v npm >/dev/null && continue
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "Please install, as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "Installing: ${missing[*]}" >&2
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -yq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    exit 1
  fi
  rm -f "$log"
  # Debian starts the broker it installs, on the port everybody tries first; the tests start their own.
  if [[ " ${missing[*]} " == *" mosquitto "* && -d /run/systemd/system ]]; then
    "${as_root[@]}" systemctl disable --now mosquitto >/dev/null 2>&1 || true
  fi
}

# configure PRESET [CMake options]: silent unless something is wrong.
configure() {
  local preset=$1
  shift
  mkdir -p "build/$preset"
  cmake --preset "$preset" "$@" >"build/$preset/configure.log" 2>&1 || { cat "build/$preset/configure.log" >&2; return 1; }
}

# configured PRESET: whether the folder was configured, and here: CMake refuses one that came with a copied tree.
configured() {
  grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "build/$1/CMakeCache.txt" 2>/dev/null &&
    [[ -f build/$1/build.ninja ]] && return
  rm -rf "build/$1"
  return 1
}

# build PRESET [TARGET...]: in a terminal it shows how far it is, otherwise it is silent unless something is wrong.
build() {
  local preset=$1 progress=(--quiet)
  shift
  [[ -t 2 ]] && progress=()
  ninja -C "build/$preset" "${progress[@]}" "$@" >&2
}
