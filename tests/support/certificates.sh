#!/bin/bash
# certificates.sh DIR: authorities, certificates, keys and revocation lists for the tests of TLS, made by the
# openssl tool. A server and clients of every kind that must get in, and of every kind that must not. What is
# there and young enough stays.
set -euo pipefail
mkdir -p "$1"
cd "$1"
exec 9>lock
flock 9
[[ -n $(find . -name made -mtime -5) ]] && exit
serial=1000

# authority NAME SUBJECT: a root.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" -days 30 \
    -subj "$2" -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# issue NAME SUBJECT AUTHORITY EXTENSIONS [KEY OPTIONS...]: a key and a certificate; extensions separated by ;
issue() {
  local name=$1 subject=$2 authority=$3 extensions=$4
  shift 4
  (($# > 0)) || set -- -newkey ec -pkeyopt ec_paramgen_curve:P-256
  openssl req -new "$@" -nodes -keyout "$name.key" -out "$name.csr" -subj "$subject" 2>/dev/null
  tr ';' '\n' <<<"$extensions" >"$name.ext"
  openssl x509 -req -in "$name.csr" -CA "$authority.pem" -CAkey "$authority.key" -set_serial "$((serial += 1))" \
    -days 20 -extfile "$name.ext" -out "$name.pem" 2>/dev/null
  rm "$name.csr" "$name.ext"
}

server='extendedKeyUsage=serverAuth;subjectAltName=DNS:localhost,IP:127.0.0.1'
client='extendedKeyUsage=clientAuth'

authority ca "/CN=Test CA"
authority other-ca "/CN=Another CA"
issue intermediate "/CN=Test Intermediate" ca 'basicConstraints=critical,CA:TRUE;keyUsage=critical,keyCertSign,cRLSign'

issue server "/CN=localhost" ca "$server"
issue server-next "/CN=localhost/O=next" ca "$server"
issue server-rsa "/CN=localhost" ca "$server" -newkey rsa:2048
issue second "/CN=second.example" ca 'extendedKeyUsage=serverAuth;subjectAltName=DNS:second.example'
issue chained "/CN=localhost" intermediate "$server"
cat intermediate.pem >>chained.pem
openssl ec -in server.key -aes256 -passout pass:secret -out server-encrypted.key 2>/dev/null
printf 'secret\n' >password

issue client "/O=Plant/CN=device7" ca "$client;subjectAltName=DNS:device7.example"
issue revoked "/O=Plant/CN=lost" ca "$client"
issue stranger "/O=Plant/CN=device7" other-ca "$client"
issue wrong-usage "/O=Plant/CN=device7" ca 'extendedKeyUsage=serverAuth'
issue nameless "/O=Plant" ca "$client"
issue two-names "/CN=device7/CN=admin" ca "$client"
issue wildcard "/CN=plant\/#" ca "$client"
issue long-name "/O=Plant" ca "$client;subjectAltName=DNS:$(printf 'x%.0s' {1..60000})"
issue partial "/O=Plant/CN=device8" intermediate "$client"
cat partial.pem intermediate.pem >whole-chain.pem
cp partial.key whole-chain.key

# Revocation lists, and a certificate whose time is over.
cat >ca.cnf <<END
[ca]
default_ca = test
[test]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 10
policy = any
[any]
commonName = supplied
END
: >index.txt
printf 'F000\n' >serial
openssl ca -config ca.cnf -gencrl -out empty.crl 2>/dev/null
openssl ca -config ca.cnf -revoke revoked.pem 2>/dev/null
openssl ca -config ca.cnf -gencrl -out ca.crl 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout expired.key -out expired.csr \
  -subj "/CN=old" 2>/dev/null
openssl ca -batch -config ca.cnf -in expired.csr -out expired.pem -notext -startdate 20200101000000Z \
  -enddate 20200201000000Z 2>/dev/null

# A stapled answer: the server's certificate is good.
openssl ca -config ca.cnf -valid server.pem 2>/dev/null
openssl ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -issuer ca.pem -cert server.pem \
  -ndays 5 -respout server.ocsp >/dev/null 2>&1

openssl x509 -in client.pem -noout -fingerprint -sha256 | sed 's/.*=//' >fingerprints
printf '# devices without certificates\nsensor:00112233445566778899aabbccddeeff\n' >psk
: >made
