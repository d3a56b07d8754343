"""Training on another computer: a study is copied there by SSH, trained there, and its training is brought back."""
