"""What starts the runs of a loop: schedules, and sensors for what no clock says."""
