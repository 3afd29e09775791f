#!/bin/bash
#SBATCH --job-name=factscope
#SBATCH --array=0-9
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --requeue
# Asks a tenth of the facts in each task of an array; the share is taken from Slurm's variables, and a task
# that is requeued goes on where it stopped. Afterwards, once:
#
#     factscope merge counterfact-shards/shard-* --out counterfact
set -euo pipefail
srun factscope sweep spec.json --facts counterfact.json --both-ways --out counterfact-shards \
    --threads "$SLURM_CPUS_PER_TASK"
