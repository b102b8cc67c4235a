# witness: */go */hello-c
# go builds two programs. One without C is static: no loader runs in it, so no preload can reach it, and Ashlar
# changes nothing. The other calls malloc through C from many goroutines: it is preloaded, as is the go command itself.

export GOPATH=$PWD/path GOCACHE=$PWD/cache GO111MODULE=off GOFLAGS=-p=2 GOPROXY=off GOTOOLCHAIN=local
mkdir hello hello-c
cat >hello/main.go <<'GO'
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
)

type Item struct {
	Name string         `json:"name"`
	More map[string]int `json:"more"`
}

func main() {
	var group sync.WaitGroup
	sums := make([]int, 8)
	for n := range sums {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			words := map[string]int{}
			for i := 0; i < 30000; i++ {
				words[fmt.Sprintf("w%d", i*7919%997+n)]++
			}
			for word, count := range words {
				sums[n] += len(word) * count
			}
		}(n)
	}
	group.Wait()
	fmt.Println("hello", sums)
	items := []Item{}
	for i := 0; i < 1000; i++ {
		items = append(items, Item{strings.Repeat("x", i%20), map[string]int{"a": i, "b": i * 2}})
	}
	sort.SliceStable(items, func(a, b int) bool { return items[a].Name < items[b].Name })
	text, _ := json.Marshal(items)
	fmt.Printf("json %d %x\n", len(text), sha256.Sum256(text))
}
GO
cat >hello-c/main.go <<'GO'
package main

/*
#include <stdlib.h>
#include <string.h>
static unsigned fill(size_t size, int seed) {
    unsigned char *block = malloc(size);
    unsigned sum = 0;
    memset(block, seed, size);
    block = realloc(block, size * 2);
    for (size_t i = 0; i < size; i++) sum += block[i];
    free(block);
    return sum;
}
*/
import "C"
import (
	"fmt"
	"os/user"
	"sync"
	"unsafe"
)

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for n := 0; n < 50; n++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			sum, held := 0, []unsafe.Pointer{}
			for i := 0; i < 400; i++ {
				sum += int(C.fill(C.size_t(i*17%5000+1), C.int(n)))
				text := C.CString(fmt.Sprint("text ", i))
				held = append(held, unsafe.Pointer(text))
				sum += int(C.strlen(text))
			}
			for _, block := range held {
				C.free(block)
			}
			lock.Lock()
			total += sum
			lock.Unlock()
		}(n)
	}
	group.Wait()
	who, err := user.LookupId("0")
	fmt.Println("total", total, who.Username, err)
}
GO
CGO_ENABLED=0 go build -o hello-static ./hello
CGO_ENABLED=1 go build -o hello-c-bin/hello-c ./hello-c
go vet ./hello
gofmt -l hello hello-c
for program in hello-static hello-c-bin/hello-c; do
    kind='static, out of reach'
    if readelf -lW "$program" | grep INTERP >/dev/null; then kind=dynamic; fi
    echo "$program: $kind"
    "./$program"
done
CGO_ENABLED=0 go run ./hello | sha256sum | cut -c1-16
chmod -R u+w path cache 2>/dev/null || true
