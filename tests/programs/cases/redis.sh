# witness: */redis-check-rdb */redis-cli */redis-benchmark
# redis-server on a unix socket (its executable is the one that is also called redis-check-rdb): commands, scripts, the
# benchmark, a snapshot by a forked child, a rewritten log, then a restart from the file with the same digest of all.

socket=$PWD/redis.sock
cli() { redis-cli -s "$socket" "$@"; }

start_server() {
    redis-server --port 0 --unixsocket "$socket" --daemonize no --save '' --dbfilename dump.rdb --dir "$PWD" \
        --enable-debug-command local --maxclients 100 --io-threads 2 --hz 50 --logfile redis.log &
    server=$!
    until cli ping 2>/dev/null | grep -q PONG; do kill -0 $server; sleep 0.05; done
}
trap 'kill $server 2>/dev/null || true; wait' EXIT
wait_for_child() { while cli info persistence | grep -qE '(bgsave|aof_rewrite)_in_progress:1'; do sleep 0.05; done; }

start_server
echo '== data'
awk 'BEGIN {
    letters = "abcdefghijklmnopqrstuvwxyz"
    for (i = 0; i < 40000; i++) {
        printf "SET string:%d %s%d\n", i, substr(letters letters, 1, i % 50 + 1), i
        if (i % 4 == 0) printf "HSET hash:%d field%d %d other%d %d\n", i % 500, i, i * 3, i % 7, i
        if (i % 5 == 0) printf "RPUSH list:%d value%d value%d\n", i % 300, i, i * 7
        if (i % 6 == 0) printf "ZADD sorted:%d %d member%d\n", i % 50, i * 7919 % 10007, i
        if (i % 9 == 0) printf "SADD set:%d %d\n", i % 40, i * 31 % 977
        if (i % 10 == 0) printf "APPEND string:%d %s\n", i % 1000, "-more-and-more-text-that-makes-it-grow"
        if (i % 11 == 0) printf "DEL string:%d\n", i * 3
    }
}' | cli --pipe | grep -E 'errors|replies'
cli eval 'local sum = 0
    for i = 1, 20000 do redis.call("zincrby", "scores", i % 13, "player" .. i % 501); sum = sum + i end
    return sum' 0
cli zrevrange scores 0 2 withscores | tr '\n' ' '
echo
cli --raw eval 'return #cjson.encode(redis.call("hgetall", "hash:8"))
    .. " " .. redis.sha1hex(string.rep("x", 1000000))' 0

echo '== benchmark'
benchmark() { redis-benchmark -s "$socket" -q "$@" | tr '\r' '\n' | grep -c 'requests per second, p50'; }
benchmark -n 8000 -c 20 -t set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,lrange_100,mset
benchmark -n 20000 -c 10 -P 10 -d 500 --threads 2 -t get,set
cli get counter:__rand_int__
cli del mylist myset myhash myzset key:__rand_int__ counter:__rand_int__

echo '== expiry and big values'
cli setrange big 5000000 end
cli strlen big
before=$(cli dbsize)
seq 1 2000 | sed 's/.*/PSETEX short:& 1 value/' | cli --pipe | grep errors
until [ "$(cli dbsize)" = "$before" ]; do sleep 0.05; done
echo "all expired, $before left"
cli memory doctor >/dev/null

echo '== snapshot, log, restart'
digest=$(cli debug digest)
echo "digest $digest"
cli bgsave
wait_for_child
cli config set appendonly yes
wait_for_child
cli set after-rewrite yes
cli bgrewriteaof >/dev/null
wait_for_child
cli config set appendonly no
cli del after-rewrite
cli debug reload
[ "$(cli debug digest)" = "$digest" ] && echo 'reloaded: same digest'
cli shutdown save
wait $server
start_server
[ "$(cli debug digest)" = "$digest" ] && echo 'restarted: same digest'
redis-check-rdb dump.rdb | grep -c 'RDB looks OK'
redis-check-aof appendonlydir/*.manifest | tail -n 1
cli flushall async
cli dbsize
cli shutdown nosave
wait $server
