# witness: */z3
# z3 decides problems of arithmetic, bit vectors, arrays, quantifiers, strings and optimisation.

# Queens: place N queens so that none attacks another.
queens() {
    awk -v n="$1" 'BEGIN {
        for (i = 0; i < n; i++) printf "(declare-const q%d Int)(assert (and (<= 0 q%d) (< q%d %d)))\n", i, i, i, n
        for (i = 0; i < n; i++) for (j = i + 1; j < n; j++)
            printf "(assert (and (not (= q%d q%d)) (not (= (- q%d q%d) %d)) (not (= (- q%d q%d) %d))))\n",
                i, j, i, j, j - i, j, i, j - i
        print "(check-sat)"
    }'
}
# Pigeons: N + 1 pigeons in N holes, which cannot be.
pigeons() {
    awk -v n="$1" 'BEGIN {
        for (p = 0; p <= n; p++) {
            line = "(assert (or"
            for (h = 0; h < n; h++) {
                printf "(declare-const p%d_%d Bool)\n", p, h
                line = line sprintf(" p%d_%d", p, h)
            }
            print line "))"
        }
        for (h = 0; h < n; h++) for (a = 0; a <= n; a++) for (b = a + 1; b <= n; b++)
            printf "(assert (not (and p%d_%d p%d_%d)))\n", a, h, b, h
        print "(check-sat)"
    }'
}
for n in 3 8 11; do echo "queens $n: $(queens "$n" | z3 -in)"; done
for n in 5 7; do echo "pigeons $n: $(pigeons "$n" | z3 -in)"; done

cat >theories.smt2 <<'SMT'
(echo "bit vectors")
(push)
(declare-const x (_ BitVec 32)) (declare-const y (_ BitVec 32))
(assert (= (bvmul x y) #x000f4240)) (assert (bvugt x #x00000001)) (assert (bvugt y x)) (assert (bvult y #x00010000))
(check-sat)
(pop)
(push)
(declare-const x (_ BitVec 24)) (declare-const y (_ BitVec 24))
(assert (not (= (bvadd x y) (bvadd (bvxor x y) (bvshl (bvand x y) #x000001)))))
(check-sat)
(pop)
(echo "arrays")
(push)
(declare-const a (Array Int Int)) (declare-const i Int) (declare-const j Int)
(assert (not (= i j))) (assert (= (select (store (store a i 1) j 2) i) 2))
(check-sat)
(pop)
(echo "quantifiers")
(push)
(declare-fun f (Int) Int)
(assert (forall ((x Int)) (=> (> x 0) (> (f (+ x 1)) (f x))))) (assert (= (f 1) 0)) (assert (< (f 40) 39))
(check-sat)
(pop)
(echo "reals")
(push)
(declare-const x Real) (declare-const y Real)
(assert (= (+ (* x x) (* y y)) 2.0)) (assert (= (* x y) 1.0)) (assert (> x 0.0))
(check-sat)
(get-value (x y))
(pop)
(echo "strings")
(push)
(declare-const s String) (declare-const t String)
(assert (= (str.++ s "-" t) "left-right")) (assert (not (str.contains s "-")))
(check-sat)
(get-value (s t))
(pop)
(echo "optimum")
(push)
(declare-const x Int) (declare-const y Int)
(assert (and (>= x 0) (>= y 0) (<= (+ (* 3 x) (* 5 y)) 97) (<= (+ (* 4 x) (* 2 y)) 80)))
(maximize (+ (* 7 x) (* 6 y)))
(check-sat)
(get-objectives)
(pop)
SMT
cat >core.smt2 <<'SMT'
(set-option :produce-unsat-cores true)
(declare-const a Bool) (declare-const b Bool) (declare-const c Bool)
(assert (! a :named first)) (assert (! (=> a b) :named second))
(assert (! c :named other)) (assert (! (not b) :named third))
(check-sat)
(get-unsat-core)
SMT
z3 theories.smt2
z3 core.smt2
z3 -st theories.smt2 | grep -c ':memory'
awk 'function number() { return state = (state * 16807) % 2147483647 }
    BEGIN {
        state = 7
        print "p cnf 150 620"
        for (i = 0; i < 620; i++) {
            for (j = 0; j < 3; j++) { v = number() % 150 + 1; printf "%s%d ", number() % 2 ? "-" : "", v }
            print "0"
        }
    }' >random.cnf
z3 -dimacs random.cnf | sed -n 1p
z3 parallel.enable=true parallel.threads.max=2 <(queens 9)
z3 -memory:30 <(pigeons 11) >memory.txt 2>&1 || echo "memory limit: status $?"
grep -o 'out of memory' memory.txt | sed -n 1p
