// What runs in the containers of real nodes, and what starts them; the standard library suffices.
module interlock.dev/lab/tools/node/app

go 1.26.0
