# witness: */rustc */work
# rustc compiles and optimises; the program runs threads. Rust's allocator is malloc, with posix_memalign and realloc.

cat >work.rs <<'RUST'
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

#[repr(align(256))]
#[derive(Clone)]
struct Wide([u8; 300]);

fn number(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

enum Tree {
    Leaf(String),
    Fork(Box<Tree>, Rc<Tree>),
}

fn plant(depth: u32) -> Tree {
    match depth {
        0 => Tree::Leaf(format!("leaf {}", depth)),
        _ => Tree::Fork(Box::new(plant(depth - 1)), Rc::new(plant(depth - 1))),
    }
}

fn count(tree: &Tree) -> usize {
    match tree {
        Tree::Leaf(text) => text.len(),
        Tree::Fork(left, right) => count(left) + count(right),
    }
}

fn work(seed: u64) -> u64 {
    let mut state = seed * 7919 + 1;
    let mut map: HashMap<String, Vec<u64>> = HashMap::new();
    for i in 0..40_000u64 {
        map.entry(format!("key{}", number(&mut state) % 3000)).or_default().push(i);
    }
    let sorted: BTreeMap<_, _> = map.iter().collect();
    let sum: u64 = sorted.iter().map(|(key, list)| key.len() as u64 * list.iter().sum::<u64>()).sum();
    let wide: Vec<Box<Wide>> = (0..500).map(|i| Box::new(Wide([i as u8; 300]))).collect();
    assert!(wide.iter().all(|block| (&**block as *const Wide as usize) % 256 == 0));
    let copies = wide.clone();
    drop(wide);
    let mut zeroed = vec![0u64; 1_000_000];
    assert!(zeroed.iter().all(|&word| word == 0));
    zeroed.truncate(10);
    zeroed.shrink_to_fit();
    sum + copies.iter().map(|block| block.0[7] as u64).sum::<u64>() + zeroed.len() as u64
}

fn main() {
    let results: Vec<_> = (0..6).map(|seed| thread::spawn(move || work(seed))).collect();
    for result in results { println!("work {}", result.join().unwrap()); }
    println!("tree {}", count(&plant(15)));
    let (sender, receiver) = mpsc::channel::<Box<[u8]>>();
    let producers: Vec<_> = (0..4).map(|n| {
        let sender = sender.clone();
        thread::spawn(move || {
            for i in 0..5000usize { sender.send(vec![n as u8; i % 700 + 1].into_boxed_slice()).unwrap() }
        })
    }).collect();
    drop(sender);
    println!("received {}", receiver.iter().map(|block| block.len() * (block[0] as usize + 1)).sum::<usize>());
    for producer in producers { producer.join().unwrap(); }
    let shared = Arc::new(Mutex::new(VecDeque::new()));
    let threads: Vec<_> = (0..4).map(|n| {
        let shared = shared.clone();
        thread::spawn(move || for i in 0..3000 { shared.lock().unwrap().push_back(format!("{} {}", n, i)); })
    }).collect();
    for thread in threads { thread.join().unwrap(); }
    let queue = shared.lock().unwrap();
    println!("queue {} {}", queue.len(), queue.iter().map(String::len).sum::<usize>());
    println!("panic {}", std::panic::catch_unwind(|| { if count(&plant(2)) > 0 { panic!("on purpose") } }).is_err());
}
RUST
for level in '0 -g' 3; do
    rustc --edition 2021 -C opt-level=$level -C codegen-units=2 -o work work.rs
    ./work 2>/dev/null
done
rustc --edition 2021 -C opt-level=1 --emit=asm,llvm-ir work.rs
sha256sum work.s work.ll
echo 'fn main() { let x: u32 = "text"; }' >wrong.rs
rustc --error-format=short wrong.rs 2>error.txt || echo "status $?"
sed -n 1p error.txt
