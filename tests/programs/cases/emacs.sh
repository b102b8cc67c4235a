# witness: */emacs*
# emacs in batch mode: buffers, regular expressions, undo, sorting, byte compilation, JSON, Org export and subprocesses.

seq 1 5000 | awk '{ printf "%05d key%d value %d some text here\n", $1 * 7919 % 5003, $1 % 50, $1 * 31 % 997 }' >text.txt
cat >work.el <<'LISP'
;;; -*- lexical-binding: t -*-
(setq native-comp-deferred-compilation nil undo-limit 100000000 undo-strong-limit 200000000 undo-outer-limit nil)
(require 'cl-lib)
(require 'json)
(defun say (&rest parts) (princ (mapconcat (lambda (part) (format "%s" part)) parts " ")) (terpri))
(defun sum-of (text) (substring (secure-hash 'sha256 text) 0 16))

(with-temp-buffer
  (insert-file-contents "text.txt")
  (buffer-enable-undo)
  (let ((before (buffer-string)))
    (while (re-search-forward "value \\([0-9]+\\)" nil t)
      (replace-match (format "<%d>" (* 2 (string-to-number (match-string 1))))))
    (sort-lines nil (point-min) (point-max))
    (undo-boundary)
    (flush-lines "key7" (point-min) (point-max))
    (upcase-region (point-min) (point-max))
    (say "edited" (count-lines (point-min) (point-max)) (sum-of (buffer-string)))
    (let ((changes buffer-undo-list))
      (while changes (setq changes (primitive-undo 1 changes))))
    (say "undone" (string= before (buffer-string)))))

(let ((table (make-hash-table :test 'equal)) (tree nil))
  (dotimes (i 60000) (cl-incf (gethash (format "w%d" (% (* i 7919) 997)) table 0)))
  (maphash (lambda (key value) (push (cons key value) tree)) table)
  (setq tree (sort tree (lambda (a b) (string< (car a) (car b)))))
  (say "table" (hash-table-count table) (car tree) (sum-of (prin1-to-string tree)))
  (say "json" (equal (json-parse-string (json-serialize table)) nil) (length (json-encode tree))))

(garbage-collect)
(let ((buffers (cl-loop for i below 80 collect (generate-new-buffer "b"))) (total 0))
  (cl-loop for buffer in buffers for i from 0 do
           (with-current-buffer buffer
             (dotimes (line 300) (insert (make-string (% (* line i) 90) ?x) (if (= 0 (% line 7)) "é漢字\n" "\n")))
             (put-text-property 1 50 'face 'bold)
             (goto-char 100) (insert (make-string 5000 ?y)) (delete-region 50 4000)
             (cl-loop for start from 1 to 400 by 7 do (overlay-put (make-overlay start (+ start 20)) 'n start))
             (cl-incf total (buffer-size))))
  (mapc #'kill-buffer buffers)
  (say "buffers" total))
(garbage-collect)

(with-temp-file "library.el"
  (insert ";;; -*- lexical-binding: t -*-\n")
  (dotimes (i 250)
    (insert (format "(defun f%d (x &optional y)\n  \"Doc.\"\n  (let ((z (+ x %d)))" i i)
            "(cond ((> z 10) (list x y z)) ((null y) (mapcar (lambda (n) (* n z)) '(1 2 3)))"
            (format "(t (f%d z)))))\n" (max 0 (1- i)))))
  (insert "(provide 'library)\n"))
(say "compiled" (and (byte-compile-file "library.el") t))
(load (expand-file-name "library.elc") nil t)
(say "called" (f249 5) (f3 1))

(with-temp-file "notes.org"
  (dotimes (i 60)
    (insert (format "* Heading %d\nText with *bold* and a [[https://example.org/%d][link]].\n" i i)
            (format "| a | b |\n|---+---|\n| %d | 2 |\n" i))))
(require 'ox-ascii)
(with-current-buffer (find-file-noselect "notes.org")
  (say "exported" (count-matches "Heading" (point-min) (point-max))
       (let ((text (org-export-as 'ascii)))
         (with-temp-buffer (insert text) (count-matches "Heading" (point-min) (point-max))))))
(say "process" (with-temp-buffer (call-process "sort" "text.txt" t nil "-r") (sum-of (buffer-string))))
(say "big" (length (number-to-string (expt 7 3000)))
     (sum-of (mapconcat #'number-to-string (number-sequence 1 60000) ",")))
(say "caught" (condition-case error (car 5) (wrong-type-argument (car error))))
(let ((threads (cl-loop for n below 4 collect
                        (let ((n n)) (make-thread (lambda () (length (make-list (* 1000 (1+ n)) n))))))))
  (say "threads" (cl-loop for thread in threads sum (thread-join thread))))
LISP
emacs -Q --batch -l work.el 2>errors.txt
grep -vE '^(Wrote|Loading|Compiling|Org mode|Saving|Parsing|Undo)' errors.txt | sed -n '1,5p'
