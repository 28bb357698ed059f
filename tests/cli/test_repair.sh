# fn-ingest --repair: a store is rewritten from what still verifies; a flipped bit costs nothing, other damage what it hit.
. "$TOOLS"
command -v python3 >/dev/null || skip "no python3"
hit() { # FILE FROM BYTES: zeros
    dd if=/dev/zero of="$1" bs=1 seek="$2" count="$3" conv=notrunc 2>/dev/null
}
flip() { # FILE AT
    python3 -c "
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 4]))" "$1" "$2"
}
expect 0 draw-faces --tsv faces.tsv --people 12 --images 10 --size 90 --damage 11
expect 0 fn-ingest faces.tsv --store good --size 90 --max-rejects 100% --shard-bytes 1M --min-images 2 -q
cp -r good db

# ---- nothing to do ----
expect 0 fn-ingest --repair db
says err "nothing to repair"
expect 0 fn-ingest --repair db --json
says out '"state": "sound"'
[ ! -e db.damaged ]

# ---- single bits, everywhere at once: as before ----
flip db/shard-00000.mdb 30000
flip db/shard-00000.mdb 8220
flip db/index.bin 4200
flip db/manifest.json 300
flip db/rejects.tsv 60
expect 1 fn-dump db verify
expect 0 fn-ingest --repair db
says out "0 lost, 4 flipped bits put right"
says out "as before the damage"
says out "db.damaged"
for file in manifest.json index.bin rejects.tsv shard-00000.mdb; do cmp good/$file db/$file; done
[ ! -e db.lost.tsv ]
expect 0 fn-dump db verify
expect 0 fn-ingest faces.tsv --store db --size 90 --max-rejects 100% --shard-bytes 1M --min-images 2
says err "nothing to do"

# ---- what an earlier repair put aside is never removed ----
hit db/index.bin 0 4096
expect 1 fn-ingest --repair db
says err "db.damaged is in the way"
rm -r db.damaged
expect 0 fn-ingest --repair db # it was ready, only to be swapped in
cmp good/index.bin db/index.bin
rm -r db.damaged

# ---- a page of a record: it is gone, listed with its row, and can be fetched again ----
expect 0 fn-dump good list
row=$(sed -n 20p out)
class=$(echo "$row" | cut -f 3) name=$(echo "$row" | cut -f 4)
at=$(grep -abo "$class$name" db/shard-00000.mdb | head -n 1 | cut -d : -f 1)
hit db/shard-00000.mdb $((at + 700)) 9
hit db/manifest.json 0 100
hit db/index.bin 0 100
expect 0 fn-ingest --repair db --json
says out '"lost": 1,'
says err "1 records are gone"
same "$(wc -l <db.lost.tsv)" 2 "lines of the list"
same "$(sed -n 2p db.lost.tsv | cut -f 4,5)" "$class	$name" "what is listed"
line=$(sed -n 2p db.lost.tsv | cut -f 2) offset=$(sed -n 2p db.lost.tsv | cut -f 3)
same "$(sed -n "${line}p" faces.tsv | cut -f 1)" "$class" "the line of the lost row"
same "$(tail -c +$((offset + 1)) faces.tsv | head -n 1 | cut -f 1)" "$class" "its byte offset"
expect 0 fn-dump db rejects
says out "$class/$name: it was damaged in the store"
expect 1 fn-dump diff good db
says out "1 only in good, 0 only in db"
expect 0 fn-dump db verify
rm -r db.damaged

# ---- elsewhere; a shard cut short; the damaged one stays as it is ----
cp -r good cut
size=$(wc -c <cut/shard-00000.mdb)
truncate -s $((size / 2)) cut/shard-00000.mdb
find cut -type f -exec cksum {} + | sort >before
expect 0 fn-ingest --repair cut --store new
find cut -type f -exec cksum {} + | sort | cmp - before
says err "records are gone: new.lost.tsv"
expect 0 fn-dump new verify
grep -q '[0-9]-[0-9]*	[0-9]*-' new.lost.tsv # rows whose place is known only by their neighbours
expect 1 fn-ingest --repair cut --store new
says err "nothing to do"
expect 0 fn-ingest --repair cut --store new --overwrite -q

# ---- nothing says what it was ----
cp -r good mute
rm mute/manifest.json mute/provenance.json
expect 1 fn-ingest --repair mute
says err "--size, --codec"
expect 0 fn-ingest --repair mute --size 90 --shard-bytes 1M --min-images 2
cmp good/shard-00000.mdb mute/shard-00000.mdb
cmp good/index.bin mute/index.bin

# ---- misuse, and what is no damaged store ----
expect 2 fn-ingest --repair
expect 2 fn-ingest --repair a b
expect 2 fn-ingest --repair db --keep x
expect 2 fn-ingest --repair db --overwrite
expect 1 fn-ingest --repair nowhere
says err "no such folder"
mkdir empty
expect 1 fn-ingest --repair empty
says err "not a store"
