# witness: */tmux
# A tmux server on a socket of its own: windows, panes, a command in each, captured screens, then the server ends.

socket=$TMPDIR/tmux.sock
printf 'set -g history-limit 5000\nset -g status off\n' >tmux.conf
t() { tmux -S "$socket" -f tmux.conf "$@"; }
trap 't kill-server 2>/dev/null || true' EXIT

t new-session -d -s main -x 100 -y 40 -n first "$SHELL"
t send-keys -t main:first "PS1='> '; clear" Enter
t send-keys -t main:first "seq 1 3000 | sed 's/^/line /'; printf 'do%s\n' ne; tmux -S $socket wait-for -S first" Enter
t wait-for first
until t capture-pane -p -t main:first | grep '^done$' >/dev/null; do sleep 0.05; done # the server may still be reading it
t capture-pane -p -t main:first -S - | grep -oE 'line [0-9]+$' | sha256sum | cut -c1-16
t capture-pane -p -t main:first | grep -oE '(line 2999|line 3000|^done)$'

# Many windows, split, resized and closed again: their screens are allocated and freed.
for i in $(seq 1 12); do
    t new-window -d -t main: -n "w$i" "printf 'window %s\n' $i; tmux -S $socket wait-for -S w$i; exec cat"
    t split-window -d -t "main:w$i" 'exec cat'
    t wait-for "w$i"
    until t capture-pane -p -t "main:w$i.0" | grep "^window $i$" >/dev/null; do sleep 0.05; done
done
for size in 60x20 120x50 100x40; do t resize-window -t main:w3 -x "${size%x*}" -y "${size#*x}"; done
for i in 1 7 12; do t capture-pane -p -t "main:w$i.0" | sed -n 1p; done
t list-windows -t main -F '#{window_name} #{window_panes}' | sort | tr '\n' ';'
echo
for i in $(seq 2 11); do t kill-window -t "main:w$i"; done
t set-buffer -b words "$(seq 1 2000)"
t show-buffer -b words | sha256sum | cut -c1-16
t list-windows -t main -F '#{window_name}' | tr '\n' ' '
echo
t kill-server
for _ in $(seq 1 100); do t has-session 2>/dev/null || break; sleep 0.05; done
t has-session 2>/dev/null || echo 'server ended'
