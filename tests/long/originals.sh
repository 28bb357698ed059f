# The two command lines of the original example with its own network, 160 pixels, embedding 512, on a tree of drawn faces;
# behind them only what makes them short. tests/cli/test_originals.sh looks closer, with the shrunken network.
. "$TOOLS"
mkdir D
draw-faces --tree D/msceleb --pairs unused.txt --people 6 --images 12
draw-faces --tree D/lfw_mtcnnpy_160 --pairs pairs.txt --people 8 --images 3 --first 500 --pair-count 40 --size 160
printf '0: 0.05\n100: 0.005\n200: 0.0005\n276: -1\n' >lr.txt
both="--logs_base_dir logs/facenet --models_base_dir models/facenet/ --data_dir D --data_path msceleb/ --image_size 160
    --model_def models.inception_resnet_v1 --lfw_dir lfw_mtcnnpy_160/ --optimizer ADAM --max_nrof_epochs 150 --random_flip
    --weight_decay 5e-4 --embedding_size 512 --output_dir O --log_dir L --num_gpus 1
    --learning_rate_schedule_file lr.txt --lfw_pairs pairs.txt"
short="--max_nrof_epochs 2 --epoch_size 2 --batch_size 6"

expect 0 fn-train $both --learning_rate -1 --keep_probability 0.4 --use_fixed_image_standardization --lfw_distance_metric 1 \
    --lfw_use_flipped_images --lfw_subtract_mean --validation_set_split_ratio 0.01 --validate_every_n_epochs 5 $short
says err "Network: inception_resnet_v1, 23.47 M weights, 1.418 G"
grep -E "^(Plan|Memory|  memory|Epoch|Validation|Accuracy|Saved)" err
expect 0 fn-train --loss triplet $both --keep_probability 0.8 --random_crop $short --people_per_batch 4 --images_per_person 6
grep -E "^(Plan|  memory|Epoch|\(nrof|Validation|Accuracy|Saved)" err
# The softmax run's weights serve the triplet run, and pictures are embedded with either.
softmax=$(ls -d O/models/facenet/2* | head -n 1)
expect 0 fn-train --loss triplet $both --keep_probability 0.8 --random_crop $short --people_per_batch 4 --images_per_person 6 \
    --max_steps 1 --pretrained_model "$softmax"
says err "0 reset, 0 missing"
expect 0 fn-embed --model "$softmax" -o e.npy D/lfw_mtcnnpy_160
says err "24 embeddings of 512 numbers"
