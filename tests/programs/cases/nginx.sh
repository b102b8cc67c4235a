# witness: */nginx */curl
# nginx with two workers on a unix socket: static files, compression, ranges, a cached proxy to itself, a reload.

mkdir -p site/files logs temp cache
for i in $(seq 1 60); do seq "$i" $((i * 350)) | sed "s/$/ of file $i/" >"site/files/$i.txt"; done
head -c 3000000 /dev/zero | tr '\0' 'z' >site/files/big.txt
echo '<!--# include virtual="/files/1.txt" --><!--# set var="x" value="set" --><!--# echo var="x" -->' >site/page.shtml

user=; [ "$(id -u)" = 0 ] && user='user root;'
cat >nginx.conf <<CONF
$user
worker_processes 2;
pid $PWD/nginx.pid;
error_log logs/error.log;
events { worker_connections 256; }
http {
    types { text/plain txt; text/html shtml; }
    access_log logs/access.log;
    client_body_temp_path temp/body; proxy_temp_path temp/proxy; fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi; scgi_temp_path temp/scgi;
    proxy_cache_path cache levels=1:2 keys_zone=pages:1m;
    gzip on; gzip_types text/plain; gzip_min_length 100; gzip_comp_level 6;
    upstream self { server unix:$PWD/nginx.sock; keepalive 4; }
    server {
        listen unix:$PWD/nginx.sock;
        root $PWD/site;
        client_max_body_size 5m; client_body_buffer_size 16k;
        location /files/ { add_header X-Name \$uri; }
        location /page { ssi on; }
        location ~ ^/rewritten/(\d+)\$ { rewrite ^/rewritten/(\d+)\$ /files/\$1.txt last; }
        location /proxy/ {
            proxy_pass http://self/files/; proxy_cache pages; proxy_cache_valid 200 1h;
            proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host self;
        }
        location /upload { proxy_pass http://self/echo; proxy_set_header Host self; }
        location /echo { return 200 "\$request_method \$content_length \$request_uri\n"; }
        location /list/ { alias $PWD/site/files/; autoindex on; }
    }
}
CONF
nginx -p "$PWD" -c nginx.conf -e logs/error.log -t 2>&1 | grep -oE 'syntax is ok|test is successful'
nginx -p "$PWD" -c nginx.conf -e logs/error.log -g 'daemon off;' &
server=$!
trap 'kill $server 2>/dev/null || true; wait' EXIT
get() { curl -sS --unix-socket nginx.sock "$@"; }
until get -o /dev/null http://local/echo 2>/dev/null; do kill -0 $server; sleep 0.05; done

# fetch NAME URL OPTION...: all sixty files, eight at a time; what came must have the sums of what is there.
fetch() {
    local name=$1 prefix=$2
    shift 2
    rm -rf got; mkdir got
    get "$@" --no-progress-meter --parallel --parallel-max 8 -o 'got/#1.txt' "http://local$prefix"
    (cd got && sha256sum -- *) | cmp - <(cd site/files && sha256sum -- [0-9]*.txt)
    echo "$name: sixty files, same sums"
}
fetch static '/files/[1-60].txt'
fetch compressed '/files/[1-60].txt' --compressed
fetch proxied '/proxy/[1-60].txt'
fetch cached '/proxy/[1-60].txt'
fetch rewritten '/rewritten/[1-60]'

echo '== reload'
nginx -p "$PWD" -c nginx.conf -e logs/error.log -s reload
fetch 'after reload' '/proxy/[1-60].txt' --compressed
get http://local/page.shtml | sha256sum | cut -c1-16
get -r 1000000-1000099 http://local/files/big.txt | wc -c
get -r 0-9,100-109 http://local/files/big.txt | grep -c 'Content-Range'
get --data-binary @site/files/big.txt http://local/upload
get http://local/list/ | grep -c 'href='
get -o /dev/null -w '%{http_code}\n' http://local/nowhere
get -I http://local/files/7.txt | tr -d '\r' | grep -E '^(HTTP|Content-Length|X-Name)'
find cache -type f | wc -l
nginx -p "$PWD" -c nginx.conf -e logs/error.log -s quit
wait $server
wc -l <logs/access.log
grep -cE '\[(alert|emerg|crit)\]' logs/error.log || true
