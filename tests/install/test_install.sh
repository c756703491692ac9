#!/bin/sh
# Installs libhighwater into a temporary prefix, builds example.c against the shared and against the static library with
# nothing but pkg-config, compares what both print, and checks which names the two libraries show.
set -eu

prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
source=$(dirname "$0")/example.c

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

"$CMAKE" --install "$BUILD_DIR" --prefix "$prefix" --component libhighwater >/dev/null
libdir=$prefix/$LIBDIR
export PKG_CONFIG_PATH="$libdir/pkgconfig"
flags="-std=c17 -Wall -Wextra -Wpedantic -Werror"
# The program must be linked as the library was compiled.
[ -z "$SANITIZE" ] || flags="$flags -fsanitize=$SANITIZE"
case $COVERAGE in ON | 1 | TRUE) flags="$flags --coverage" ;; esac

[ "$(pkg-config --modversion highwater)" = "$VERSION" ] || fail "the .pc file has another version"
for header in "$(dirname "$0")"/../../include/highwater/*.h; do
	[ -f "$prefix/include/highwater/$(basename "$header")" ] || fail "$(basename "$header") is not installed"
done

# Names: only hw_*, beside those that sanitizers and coverage add for themselves.
own='^(hw_|_*(asan|odr_asan|ubsan|tsan|sanitizer|gcov|mangle_path$|llvm|start___sancov|stop___sancov)|_init$|_fini$)'
names() {
	"$NM" "$@" | awk 'NF == 3 { print $3 }' | sed 's/@.*//'
}
foreign=$(names -D --defined-only "$libdir/libhighwater.so" | grep -Ev "$own" || true)
[ -z "$foreign" ] || fail "libhighwater.so shows" $foreign
foreign=$(names -g --defined-only "$libdir/libhighwater.a" | grep -Ev "$own" || true)
[ -z "$foreign" ] || fail "libhighwater.a shows" $foreign
for library in "-D $libdir/libhighwater.so" "-g $libdir/libhighwater.a"; do
	for name in $(grep -ho 'hw_[a-z_]*(' "$prefix"/include/highwater/*.h | tr -d '(' | sort -u); do
		names --defined-only $library | grep -qx "$name" || fail "$name is missing in $library"
	done
done

cat >"$prefix/want" <<'END'
usersig 0
callback 1400000001 RESTAPI 400/500
{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}
v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==
webhook: the signature is right
END

# Manual pages: right, and one for each function.
for page in "$(dirname "$0")"/../../man/*.3; do
	mandoc -T lint -W warning "$page" >"$prefix/said" || fail "$(cat "$prefix/said")"
	[ -f "$prefix/$MANDIR/man3/$(basename "$page")" ] || fail "$(basename "$page") is not installed"
done
for name in $(grep -ho 'hw_[a-z_]*(' "$prefix"/include/highwater/*.h | tr -d '(' | sort -u); do
	[ -f "$prefix/$MANDIR/man3/$name.3" ] || fail "there is no manual page of $name"
	mandoc -T utf8 -I os=x "$prefix/$MANDIR/man3/$name.3" >/dev/null 2>&1 || grep -q '^\.so ' "$prefix/$MANDIR/man3/$name.3" ||
		fail "the manual page of $name cannot be read"
done

# The receiver: a right callback, the same one with another Sign, and one of another app.
receiver=$(dirname "$0")/../../examples/receiver.c
body='{"CallbackCommand":"Live.CallbackAfterCreateRoomReachingThreshold","Operator_Account":"brennanli","EventTime":1739966441121,"CurRoomCount":400,"MaxRoomCount":500}'
receive() { # PROGRAM SDKAPPID TOKEN
	now=$(date +%s)
	sign=$(printf '%s%s' "$3" "$now" | sha256sum | cut -d ' ' -f 1)
	printf '%s' "$body" | SDKAPPID=1400000001 CALLBACK_TOKEN=xxxxyyyy REQUEST_METHOD=POST \
		QUERY_STRING="SdkAppid=$2&CallbackCommand=Live.CallbackAfterCreateRoomReachingThreshold&contenttype=json&Sign=$sign&RequestTime=$now" \
		"$1" 2>"$prefix/said" | tr -d '\r'
}
try_receiver() { # PROGRAM
	receive "$1" 1400000001 xxxxyyyy >"$prefix/got"
	printf 'Status: 200\nContent-Type: application/json\n\n{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' | cmp - "$prefix/got" ||
		fail "the receiver did not take a right callback"
	key=$(printf '1400000001 body %s' "$body" | sha256sum | cut -d ' ' -f 1)
	[ "$(cat "$prefix/said")" = "$key: app 1400000001 has 400 of 500 rooms" ] || fail "the receiver said: $(cat "$prefix/said")"
	receive "$1" 1400000001 another | grep -q '^Status: 401' || fail "the receiver took a wrong Sign"
	receive "$1" 1400000002 xxxxyyyy | grep -q '^Status: 403' || fail "the receiver took another app's callback"
	[ -z "$(cat "$prefix/said")" ] || fail "the receiver believed what it refused"
}

"$CC" $flags "$receiver" -o "$prefix/receiver" $(pkg-config --cflags --libs highwater)
export LD_LIBRARY_PATH="$libdir"
try_receiver "$prefix/receiver"
unset LD_LIBRARY_PATH

"$CC" $flags "$source" -o "$prefix/shared" $(pkg-config --cflags --libs highwater)
readelf -d "$prefix/shared" | grep -q 'libhighwater\.so\.0' || fail "the program does not ask for libhighwater.so.0"
LD_LIBRARY_PATH="$libdir" "$prefix/shared" >"$prefix/got"
cmp "$prefix/want" "$prefix/got" || fail "the shared library's program printed something else"

# As on a machine where only the static library was installed.
rm "$libdir"/libhighwater.so*
"$CC" $flags "$source" -o "$prefix/static" $(pkg-config --static --cflags --libs highwater)
"$prefix/static" >"$prefix/got"
cmp "$prefix/want" "$prefix/got" || fail "the static library's program printed something else"
"$CC" $flags "$receiver" -o "$prefix/receiver" $(pkg-config --static --cflags --libs highwater)
try_receiver "$prefix/receiver"
echo "ok"
