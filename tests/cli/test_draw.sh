# draw-faces --pairs: no pair stands in the file twice, either way round, and more than there are get a sentence.
. "$TOOLS"
unlike() { # FILE SAME DIFFERENT: so many pairs of each kind, each once
    same "$(sed 1d "$1" | awk 'NF == 3' | wc -l) $(sed 1d "$1" | awk 'NF == 4' | wc -l)" "$2 $3" "pairs of one person, of two"
    same "$(sed 1d "$1" | awk '{ a = $1 " " $2; b = NF == 3 ? $1 " " $3 : $3 " " $4; print a < b ? a " " b : b " " a }' |
        sort | uniq -d | wc -l)" 0 "pairs that stand twice in $1"
    same "$(sed 1d "$1" | awk 'NF == 4 && $1 == $3 || NF == 3 && $2 == $3' | wc -l)" 0 "pairs of a picture with itself, or a person"
}
expect 0 draw-faces --pairs even.txt --people 5 --images 4 --pair-count 60 # all of one person that there are
unlike even.txt 30 30
expect 0 draw-faces --pairs odd.txt --people 4 --images 5 --pair-count 80
unlike odd.txt 40 40
expect 0 draw-faces --pairs two.txt --people 2 --images 7 --pair-count 80 # two people are one couple, 49 pairs
unlike two.txt 40 40
expect 0 draw-faces --pairs many.txt --people 1000000 --images 60000 --pair-count 1000
unlike many.txt 500 500
expect 0 draw-faces --pairs again.txt --people 5 --images 4 --pair-count 60
cmp even.txt again.txt
expect 2 draw-faces --tree people --pairs pairs.txt --people 8 --images 3 --pair-count 60
says err "--pair-count 60 asks for 30 pairs of one person, but 8 people with 3 pictures each have 24"
expect 2 draw-faces --pairs pairs.txt --people 2 --images 9 --pair-count 180 --seed 3
says err "asks for 90 pairs of one person"
expect 2 draw-faces --pairs pairs.txt --people 3 --images 3
says err "--pair-count 200 asks for 100 pairs of one person"
[ ! -e people ] && [ ! -e pairs.txt ]
