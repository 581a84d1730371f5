# sh keeper.sh ARGUMENTS OF CURL: a response goes to standard output. A refusal goes to standard
# error, as does a redirect, and the exit code is not 0. Any curl will do.
umask 077
body=$(mktemp) || exit
trap 'rm -f "$body"' EXIT
trap 'exit 143' HUP INT TERM
code=$(curl -q "$@" --silent --show-error --no-fail --retry 3 --retry-max-time 30 \
    --output "$body" --write-out '%{http_code}')
status=$?
case $status:$code in 0:2*) cat "$body"; exit ;; esac
cat "$body" >&2
echo >&2
[ "$status" != 0 ] || status=22
exit "$status"
