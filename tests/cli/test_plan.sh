# The memory that fn-train plans and prints, against the most that the system says it had: within 5 %, whatever is trained,
# with validation, LFW, checkpoints and logs. The pages of a mapped store count as the process's own: so it is a small one.
. "$TOOLS"
command -v python3 >/dev/null || skip "no python3"
[ -r /proc/self/status ] && grep -q VmHWM /proc/self/status || skip "no VmHWM in /proc"
case $(readelf -d "$(command -v fn-train)") in *libasan* | *libtsan*) skip "sanitizers take memory of their own" ;; esac
cat >peak.py <<'P'
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak KiB: %d" % resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
P
planned() { # NAME OPTION...
    name=$1
    shift
    rm -rf models logs
    expect 0 python3 peak.py fn-train --store db --model_def models.shrunken --models_base_dir models --logs_base_dir logs \
        --epoch_size 1 --max_nrof_epochs 1 "$@"
    plan=$(sed -n 's/^  memory  *\([0-9.]*\) MB.*/\1/p' err)
    awk -v name="$name" -v plan="$plan" -v peak="$(sed -n 's/^peak KiB: //p' err)" 'BEGIN {
        peak *= 1024 / 1e6; d = peak / plan - 1
        printf "%s: %.1f MB planned, %.1f MB used, %+.1f %%\n", name, plan, peak, 100 * d
        exit !(plan > 30) || d > 0.05 || d < -0.05 }' || { echo "FAILED: $name"; cat err; exit 1; }
}
expect 0 draw-faces --tsv faces.tsv --people 10 --images 8 --size 170
expect 0 fn-ingest faces.tsv --store db --size 164
expect 0 draw-faces --tree people --pairs pairs.txt --people 9 --images 5 --first 500 --pair-count 100 --size 160
lfw="--lfw_dir people --lfw_pairs pairs.txt --lfw_nrof_folds 5"
planned "softmax" --batch_size 32 --validation_set_split_ratio 0.2 --optimizer ADAM --margin arcface
planned "LFW" --batch_size 24 $lfw --lfw_use_flipped_images --lfw_batch_size 40
planned "parts" --batch_size 60 --gradient_accumulation 2 --moving_average_decay 0
planned "triplets" --loss triplet --batch_size 24 --people_per_batch 4 --images_per_person 6 $lfw
planned "online triplets" --loss triplet --mining online --triplet_selection semi-hard --batch_size 24 --people_per_batch 6 \
    --images_per_person 4
if grep -q avx512_bf16 /proc/cpuinfo; then planned "bf16" --batch_size 48 --precision bf16; fi
