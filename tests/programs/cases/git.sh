# witness: */git
# A repository with 200 commits, a side branch and a merge: cloned, packed, checked, rebased, and as it was before.

export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git config --global gc.auto 0
git config --global init.defaultBranch main
git config --global pack.threads 2
git config --global advice.detachedHead false

# Print a stream for git fast-import: `$1` commits, each changing some of 50 files.
history() {
    awk -v commits="$1" 'BEGIN {
        for (c = 1; c <= commits; c++) {
            printf "commit refs/heads/main\nmark :%d\n", c
            printf "committer Ada <ada@example.org> %d +0000\n", 1600000000 + c * 60
            message = "change " c "\n"
            printf "data %d\n%s", length(message), message
            for (f = c % 5; f < 50; f += 5) {
                text = ""
                for (l = 0; l < 20; l++)
                    text = text sprintf("file %d line %d value %d\n", f, l, (c * (l + 1) * 7919) % (l * 13 + 11))
                printf "M 100644 inline dir%d/file%d.txt\ndata %d\n%s\n", f % 6, f, length(text), text
            }
        }
    }'
}

git init -q original
history 200 | git -C original fast-import --quiet
cd original
git reset -q --hard
git checkout -q -b side HEAD~5
echo side >side.txt
git add side.txt
git commit -q -m 'A side branch'
git checkout -q main
echo main >main.txt
git add main.txt
git commit -q -m 'Work on main'
git merge -q -m 'Merge the side branch' side
git tag -a -m 'Tagged' v1
git log --oneline | wc -l
git log --stat -3 --format='%h %s'
git blame --porcelain dir0/file0.txt | grep -c '^summary'
git grep -c 'value 1[0-9]$' | sed -n '1,3p'
cd ..

git clone -q --no-local original clone
cd clone
git gc -q --aggressive --prune=now
git repack -q -a -d -f --depth=20 --window=20
git count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
git fsck --full --strict
git rev-parse HEAD "HEAD^{tree}" v1
git diff --stat v1~100 v1 | tail -n 1
git log -p --all | git patch-id | wc -l
git archive v1 | sha256sum | cut -c1-16
git bundle create -q ../all.bundle --all
git bundle verify -q ../all.bundle
git rebase -q --onto HEAD~20 HEAD~10 HEAD~1 >rebase.log 2>&1 || grep -c CONFLICT rebase.log
git rebase --abort
git checkout -q main
rm rebase.log
git status --short
cd ..
diff -r -x .git original clone && echo 'the work trees are the same'
