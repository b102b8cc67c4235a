# witness: */gs
# Ghostscript draws a generated document to pictures and to PDF, and the PDF back to pictures: the same pixels.

cat >work.ps <<'PS'
%!PS
/number { /state state 1103515245 mul 12345 add cvi 16#3fffffff and def state 65536 idiv exch mod } def
/state 42 def
/Helvetica findfont 14 scalefont setfont
1 1 6 {
    /page exch def
    gsave
    0 1 120 {
        /i exch def
        i 120 div page 6 div 1 i 120 div sub setrgbcolor
        newpath 300 i page mul 7 mul 500 mod add 5 sub 400 i 4 mul 300 mod add 20 i 3 mod 10 mul add 0 360 arc
        i 2 mod 0 eq { stroke } { fill } ifelse
    } for
    grestore
    0 setgray
    1 1 40 {
        /line exch def
        60 800 line 18 mul sub moveto
        (Page ) show page 10 string cvs show ( line ) show line 10 string cvs show
        ( some text that is set in Helvetica, and a number ) show line page mul 7919 mul 1009 mod 10 string cvs show
    } for
    << /ShadingType 2 /ColorSpace /DeviceRGB /Coords [0 0 600 100]
       /Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> >>
    gsave newpath 0 0 600 60 rectclip shfill grestore
    /data 3000 string def
    0 1 2999 { data exch dup page mul 7 mul 255 and put } for
    gsave 400 50 translate 100 100 scale 30 100 8 [30 0 0 100 0 0] { data } image grestore
    showpage
} for
% Data structures: dictionaries and arrays that come and go, with save and restore.
1 1 30 {
    save
    1 1 200 { /d 50 dict def 1 1 40 { d exch dup 20 string cvs cvn exch [ exch 1 1 20 {} for ] put } for pop } for
    restore
    pop
} for
vmstatus pop pop (level ) print =
PS
draw() { gs -q -dSAFER -dBATCH -dNOPAUSE "$@"; }
draw -sDEVICE=png16m -r100 -o page%d.png work.ps
ls page*.png | wc -l
draw -sDEVICE=ppmraw -r50 -dTextAlphaBits=4 -dGraphicsAlphaBits=4 -o smooth%d.ppm work.ps >/dev/null
wc -c smooth1.ppm
draw -sDEVICE=pdfwrite -o work.pdf work.ps >/dev/null
gs -q -dSAFER -dNODISPLAY -dBATCH --permit-file-read="$PWD/work.pdf" \
    -c "($PWD/work.pdf) (r) file runpdfbegin pdfpagecount ="
draw -sDEVICE=ppmraw -r50 -dNumRenderingThreads=2 -dBandBufferSpace=500000 -dMaxBitmap=1000000 -o again%d.ppm work.pdf
draw -sDEVICE=txtwrite -o text.txt work.pdf
grep -c 'some text that is set in Helvetica' text.txt
sha256sum page*.png smooth*.ppm again*.ppm text.txt
echo '1 0 div' | gs -q -dSAFER -dBATCH -dNODISPLAY - >error.txt 2>&1 || echo "error: status $?"
grep -o 'Error: /undefinedresult' error.txt
