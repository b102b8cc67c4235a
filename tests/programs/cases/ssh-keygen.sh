# witness: */ssh-keygen
# Keys of three kinds: made, converted, signed with, certified. Fingerprints are new each time, so shapes are compared.

for kind in ed25519 ecdsa rsa; do
    bits=; [ "$kind" = rsa ] && bits='-b 2048'
    ssh-keygen -q -t "$kind" $bits -N "secret $kind" -C "$kind@example.org" -f "key_$kind"
    ssh-keygen -l -f "key_$kind.pub" | sed -E 's|SHA256:[A-Za-z0-9+/]{43}|FINGERPRINT|'
    ssh-keygen -y -P "secret $kind" -f "key_$kind" >derived.pub
    cut -d' ' -f1,2 "key_$kind.pub" | cmp - <(cut -d' ' -f1,2 derived.pub)
    echo "$kind: public key derived"
    ssh-keygen -y -P wrong -f "key_$kind" 2>/dev/null >/dev/null || echo "$kind: wrong passphrase refused, status $?"
    ssh-keygen -q -p -P "secret $kind" -N '' -f "key_$kind" >/dev/null
    ssh-keygen -e -m RFC4716 -f "key_$kind.pub" | sed -n 1p
    ssh-keygen -i -f <(ssh-keygen -e -f "key_$kind.pub") | cmp - <(cut -d' ' -f1,2 "key_$kind.pub")
    echo "$kind: converted"
    echo "message of $kind" >message
    ssh-keygen -q -Y sign -f "key_$kind" -n test message 2>/dev/null
    echo "user@example.org $(cat "key_$kind.pub")" >signers
    ssh-keygen -Y verify -f signers -I user@example.org -n test -s message.sig <message |
        sed -E 's|SHA256:[A-Za-z0-9+/]{43}|FINGERPRINT|'
    echo other | ssh-keygen -Y verify -f signers -I user@example.org -n test -s message.sig >/dev/null 2>&1 ||
        echo "$kind: other message refused"
    rm -f message.sig
done
ssh-keygen -q -s key_ed25519 -I identity -n user -V 20300101:20310101 -z 7 key_rsa.pub
ssh-keygen -L -f key_rsa-cert.pub | grep -E 'Type|Serial|Valid|Key ID'
seq 1 300 | while read -r host; do echo "host$host.example.org $(cut -d' ' -f1,2 key_ed25519.pub)"; done >known_hosts
ssh-keygen -q -H -f known_hosts >/dev/null 2>&1
ssh-keygen -F host250.example.org -f known_hosts | grep -c '^|1|'
