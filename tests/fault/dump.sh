# fn-dump with failing calls: a sentence and exit 1, or what it should give; the store is not touched.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/tools.sh"
expect 0 draw-faces --tsv faces.tsv --people 3 --images 5 --size 40 --damage 2
expect 0 fn-ingest faces.tsv --store db --max-rejects 100% --codec raw --size 182 --shard-bytes 1M
cp -r db whole
fresh() { rm -rf made; }
again() { fresh && run; }
run() { $inject fn-dump db $command --quiet --threads 1; }
same() { diff -r db whole >diff.out && diff -r made right >diff.out; }
try() { # COMMAND...: prints, or writes into the folder `made`
    command=$*
    echo "fn-dump db $command"
    rm -rf right
    fresh
    run >out
    cp -r made right
    sweep_files
    sweep alloc ENOMEM
}
try export made
fresh() { rm -rf made && mkdir made; }
# A picture that cannot be read is drawn as damaged, and that is said: only the sheet's own file.
under=/made
try sheet made/sheet.png
under=
same() { diff -r db whole >diff.out && diff out right >diff.out; }
try_text() { # COMMAND...: all it does is on stdout
    command=$*
    echo "fn-dump db $command"
    run >right
    sweep_files
    sweep alloc ENOMEM
}
rm -rf right
run() { $inject fn-dump db $command --threads 1; }
try_text list
try_text rejects
try_text stats
run() { $inject fn-dump db $command --threads 1 | sed 's/, [0-9.]* s$//'; return ${PIPESTATUS[0]}; }
try_text verify
echo "$faults faults"
[ $bad = 0 ]
